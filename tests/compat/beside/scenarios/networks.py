# SPDX-License-Identifier: Apache-2.0
"""/networks."""
import json
import urllib.parse

from . import add, scenario

CREATE = {
    "named": {"Name": "bm-n"},
    "labels and options": {"Name": "bm-n", "Labels": {"a": "b"}, "Options": {"com.docker.network.bridge.name": "bmbr7"}},
    "internal": {"Name": "bm-n", "Internal": True, "Attachable": True},
    "subnet": {"Name": "bm-n", "IPAM": {"Config": [{"Subnet": "10.254.7.0/24", "Gateway": "10.254.7.9", "IPRange": "10.254.7.128/25", "AuxiliaryAddresses": {"x": "10.254.7.5"}}]}},
    "subnet alone": {"Name": "bm-n", "IPAM": {"Config": [{"Subnet": "10.254.8.0/24"}]}},
    "gateway outside": {"Name": "bm-n", "IPAM": {"Config": [{"Subnet": "10.254.7.0/24", "Gateway": "10.1.1.1"}]}},
    "range outside": {"Name": "bm-n", "IPAM": {"Config": [{"Subnet": "10.254.7.0/24", "IPRange": "10.1.1.0/24"}]}},
    "host bits": {"Name": "bm-n", "IPAM": {"Config": [{"Subnet": "10.254.7.5/24"}]}},
    "bad subnet": {"Name": "bm-n", "IPAM": {"Config": [{"Subnet": "x"}]}},
    "gateway without subnet": {"Name": "bm-n", "IPAM": {"Config": [{"Gateway": "10.254.7.1"}]}},
    "ipam driver": {"Name": "bm-n", "IPAM": {"Driver": "bm-nope"}},
    "no addresses": {"Name": "bm-n", "IPAM": {"Driver": "null"}},
    "no addresses, of a subnet": {"Name": "bm-n", "IPAM": {"Driver": "null", "Config": [{"Subnet": "10.254.7.0/24"}]}},
    "no addresses, of IPv6": {"Name": "bm-n", "EnableIPv4": False, "EnableIPv6": True, "IPAM": {"Driver": "null"}},
    "no addresses, config only": {"Name": "bm-n", "ConfigOnly": True, "IPAM": {"Driver": "null"}},
    "unknown driver": {"Name": "bm-n", "Driver": "bm-nope"},
    "host driver": {"Name": "bm-n", "Driver": "host"},
    "null driver": {"Name": "bm-n", "Driver": "null"},
    "overlay": {"Name": "bm-n", "Driver": "overlay"},
    "predefined name": {"Name": "bridge"},
    "no name": {"Name": ""},
    "bad name": {"Name": "bm- b/c"},
    "mtu": {"Name": "bm-n", "Options": {"com.docker.network.driver.mtu": "1400"}},
    "bad mtu": {"Name": "bm-n", "Options": {"com.docker.network.driver.mtu": "x"}},
    "bad boolean": {"Name": "bm-n", "Options": {"com.docker.network.bridge.enable_icc": "x"}},
    "unknown option": {"Name": "bm-n", "Options": {"bm.nope": "x"}},
    "scope": {"Name": "bm-n", "Scope": "swarm"},
    "ingress": {"Name": "bm-n", "Ingress": True},
    "config only": {"Name": "bm-n", "ConfigOnly": True, "IPAM": {"Config": [{"Subnet": "10.254.9.0/24"}]}},
    "config from nobody": {"Name": "bm-n", "ConfigFrom": {"Network": "bm-nope"}},
    "check duplicate": {"Name": "bm-n", "CheckDuplicate": True},
    "no body": "",
    "IPv6": {"Name": "bm-n", "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "10.254.22.0/24"}, {"Subnet": "2001:db8:15::/64"}]}},
    "IPv6 with everything": {"Name": "bm-n", "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "2001:db8:15::/64", "Gateway": "2001:db8:15::9", "IPRange": "2001:db8:15::8000/113", "AuxiliaryAddresses": {"x": "2001:db8:15::5"}}, {"Subnet": "10.254.22.0/24"}]}},
    "IPv6 alone": {"Name": "bm-n", "EnableIPv4": False, "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "2001:db8:15::/64"}]}},
    "IPv6 alone, with a subnet of IPv4": {"Name": "bm-n", "EnableIPv4": False, "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "2001:db8:15::/64"}, {"Subnet": "10.254.22.0/24"}]}},
    "IPv6 not enabled": {"Name": "bm-n", "IPAM": {"Config": [{"Subnet": "2001:db8:15::/64"}, {"Subnet": "10.254.22.0/24"}]}},
    "IPv6 by option": {"Name": "bm-n", "Options": {"com.docker.network.enable_ipv6": "true"}, "IPAM": {"Config": [{"Subnet": "2001:db8:15::/64"}, {"Subnet": "10.254.22.0/24"}]}},
    "IPv6 by an option that is none": {"Name": "bm-n", "Options": {"com.docker.network.enable_ipv6": "x"}},
    "neither family": {"Name": "bm-n", "EnableIPv4": False},
    "IPv6: host bits": {"Name": "bm-n", "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "2001:db8:15::1/64"}]}},
    "IPv6: gateway outside": {"Name": "bm-n", "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "2001:db8:15::/64", "Gateway": "2001:db8:16::1"}]}},
    "IPv6: gateway of the other family": {"Name": "bm-n", "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "2001:db8:15::/64", "Gateway": "10.1.1.1"}]}},
    "IPv6: no room": {"Name": "bm-n", "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "2001:db8:15::/128"}]}},
    "IPv6: two addresses": {"Name": "bm-n", "EnableIPv4": False, "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "2001:db8:15::/127"}]}},
    "several subnets": {"Name": "bm-n", "IPAM": {"Config": [{"Subnet": "10.254.22.0/24"}, {"Subnet": "10.254.23.0/24"}]}},
    "macvlan": {"Name": "bm-n", "Driver": "macvlan", "Options": {"parent": "docker0"}, "IPAM": {"Config": [{"Subnet": "10.254.20.0/24"}]}},
    "macvlan, several subnets": {"Name": "bm-n", "Driver": "macvlan", "EnableIPv6": True, "Options": {"parent": "docker0", "macvlan_mode": "private"}, "IPAM": {"Config": [{"Subnet": "10.254.20.0/24", "Gateway": "10.254.20.9"}, {"Subnet": "10.254.21.0/24"}, {"Subnet": "2001:db8:15::/64"}]}},
    "macvlan, internal": {"Name": "bm-n", "Driver": "macvlan", "Internal": True, "Options": {"parent": "docker0"}},
    "macvlan mode": {"Name": "bm-n", "Driver": "macvlan", "Options": {"parent": "docker0", "macvlan_mode": "x"}},
    "macvlan on loopback": {"Name": "bm-n", "Driver": "macvlan", "Options": {"parent": "lo"}},
    "macvlan on nothing": {"Name": "bm-n", "Driver": "macvlan", "Options": {"parent": "bmnope"}},
    "macvlan on a VLAN of nothing": {"Name": "bm-n", "Driver": "macvlan", "Options": {"parent": "bmnope.7"}},
    "macvlan on a VLAN that is none": {"Name": "bm-n", "Driver": "macvlan", "Options": {"parent": "docker0.0"}},
}


def _no_subnet(v):
    return v


def _create(body):
    def fn(e):
        r = e.http("POST", "/networks/create", body)
        if r.status == 201:
            e.http("GET", "/networks/bm-n")
            e.http("DELETE", "/networks/bm-n")
    return fn


for _n, _b in CREATE.items():
    add("network create: " + _n, _create(_b))


def _filter(f):
    def fn(e):
        e.ask("POST", "/networks/create", {"Name": "bm-a", "Labels": {"x": "1"}, "IPAM": {"Config": [{"Subnet": "10.254.10.0/24"}]}})
        e.ask("POST", "/networks/create", {"Name": "bm-b", "IPAM": {"Config": [{"Subnet": "10.254.11.0/24"}]}})
        e.http("GET", "/networks?filters=" + urllib.parse.quote(json.dumps(f)),
               only=lambda v: sorted(n["Name"] for n in v if n["Name"].startswith("bm-") or n["Name"] in ("bridge", "host", "none")) if isinstance(v, list) else v)
    return fn


for _f in ({}, {"name": ["bm-a"]}, {"name": ["bm"]}, {"label": ["x"]}, {"driver": ["bridge"]}, {"driver": ["null"]}, {"type": ["custom"]}, {"type": ["builtin"]}, {"type": ["x"]}, {"scope": ["local"]}, {"scope": ["x"]},
           {"dangling": ["true"]}, {"dangling": ["x"]}, {"id": ["x"]}, {"nope": ["x"]}):
    add("network list: " + json.dumps(_f), _filter(_f))

CONNECT = {
    "plain": {"Container": "bm-one"},
    "aliases and address": {"Container": "bm-one", "EndpointConfig": {"Aliases": ["x"], "IPAMConfig": {"IPv4Address": "10.254.12.77"}}},
    "address outside": {"Container": "bm-one", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "10.1.1.1"}}},
    "address that is none": {"Container": "bm-one", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "x"}}},
    "mac": {"Container": "bm-one", "EndpointConfig": {"MacAddress": "02:42:00:00:00:77"}},
    "priority": {"Container": "bm-one", "EndpointConfig": {"GwPriority": 5}},
    "driver option": {"Container": "bm-one", "EndpointConfig": {"DriverOpts": {"bm.nope": "x"}}},
    "IPv6 address that is none": {"Container": "bm-one", "EndpointConfig": {"IPAMConfig": {"IPv6Address": "x"}}},
    "IPv6 address": {"Container": "bm-one", "EndpointConfig": {"IPAMConfig": {"IPv6Address": "2001:db8::1"}}},
    "nobody": {"Container": "nope"},
    "no container": {},
    "no body": "",
}


def _connect(body, running):
    def fn(e):
        e.ask("POST", "/networks/create", {"Name": "bm-n", "IPAM": {"Config": [{"Subnet": "10.254.12.0/24"}]}})
        (e.run if running else e.create)("bm-one", HostConfig={"NetworkMode": "bridge"})
        e.http("POST", "/networks/bm-n/connect", body)
        e.http("GET", "/containers/bm-one/json", only=["NetworkSettings.Networks.bm-n"])
        e.http("POST", "/networks/bm-n/connect", body)
        e.http("POST", "/networks/bm-n/disconnect", {"Container": "bm-one"})
        e.http("POST", "/networks/bm-n/disconnect", {"Container": "bm-one"})
        e.http("GET", "/containers/bm-one/json", only=lambda v: sorted(v["NetworkSettings"]["Networks"]))
    return fn


for _n, _b in CONNECT.items():
    add("network connect: " + _n, _connect(_b, False))
    add("network connect, running: " + _n, _connect(_b, True))


@scenario("network: conflicts")
def _(e):
    e.http("POST", "/networks/create", {"Name": "bm-n", "IPAM": {"Config": [{"Subnet": "10.254.13.0/24"}]}})
    e.http("POST", "/networks/create", {"Name": "bm-n"})
    e.http("POST", "/networks/create", {"Name": "bm-m", "IPAM": {"Config": [{"Subnet": "10.254.13.0/25"}]}})
    e.run("bm-one", HostConfig={"NetworkMode": "bm-n"})
    e.http("DELETE", "/networks/bm-n")
    e.http("DELETE", "/networks/bridge")
    e.http("DELETE", "/networks/nope")
    e.http("GET", "/networks/nope")
    e.http("GET", "/networks/bm-n?scope=swarm")
    e.http("GET", "/networks/bm-n?verbose=x")
    e.http("POST", "/networks/host/connect", {"Container": "bm-one"})
    e.http("POST", "/networks/none/connect", {"Container": "bm-one"})
    e.http("POST", "/networks/nope/connect", {"Container": "bm-one"})
    e.http("POST", "/networks/bridge/disconnect", {"Container": "bm-one"})


@scenario("network: a container's view")
def _(e):
    e.ask("POST", "/networks/create", {"Name": "bm-n", "IPAM": {"Config": [{"Subnet": "10.254.24.0/24"}]}})
    e.run("bm-one", Hostname="h1", HostConfig={"NetworkMode": "bm-n", "ExtraHosts": ["x:1.2.3.4"], "Dns": ["9.9.9.9"]}, NetworkingConfig={"EndpointsConfig": {"bm-n": {"Aliases": ["al"]}}})
    e.http("GET", "/containers/bm-one/json", only=["NetworkSettings"])
    e.http("GET", "/networks/bm-n")
    e.cli("exec", "bm-one", "cat", "/etc/hosts")
    e.cli("exec", "bm-one", "grep", "-v", "^#", "/etc/resolv.conf")
    e.cli("exec", "bm-one", "sh", "-c", "ip -o -4 addr | sed 's/.*inet/inet/'; ip route | sort")
    e.cli("exec", "bm-one", "nslookup", "-type=a", "bm-one")
    e.cli("exec", "bm-one", "nslookup", "-type=a", "al")


@scenario("network: a container's view, IPv6")
def _(e):
    e.ask("POST", "/networks/create", {"Name": "bm-n", "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "10.254.24.0/24"}, {"Subnet": "2001:db8:14::/64", "IPRange": "2001:db8:14::40/122"}]}})
    e.run("bm-one", Hostname="h1", ExposedPorts={"80/tcp": {}}, HostConfig={"NetworkMode": "bm-n", "PortBindings": {"80/tcp": [{"HostPort": "28083"}, {"HostIp": "::1", "HostPort": "28084"}]}})
    e.http("GET", "/networks/bm-n")
    e.run("bm-two", Hostname="h2", HostConfig={"NetworkMode": "bm-n"}, NetworkingConfig={"EndpointsConfig": {"bm-n": {"IPAMConfig": {"IPv6Address": "2001:db8:14::77"}}}})
    for c in ("bm-one", "bm-two"):
        e.http("GET", "/containers/%s/json" % c, only=["NetworkSettings"])
        e.cli("exec", c, "cat", "/etc/hosts")
        e.cli("exec", c, "sh", "-c", "ip -o -6 addr show scope global | sed 's/.*inet6/inet6/'; ip -6 route | grep -v ^ff00 | grep -v ^multicast | sort")
    e.cli("exec", "bm-one", "nslookup", "-type=aaaa", "bm-two")
    e.cli("exec", "bm-one", "nslookup", "2001:db8:14::77")
    e.http("GET", "/containers/json?filters=%7B%22name%22%3A%5B%22bm-one%22%5D%7D", only=lambda v: sorted(v[0]["Ports"], key=str))


@scenario("network: IPv6 alone")
def _(e):
    e.ask("POST", "/networks/create", {"Name": "bm-n", "EnableIPv4": False, "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "2001:db8:14::/64"}]}})
    e.run("bm-one", Hostname="h1", ExposedPorts={"80/tcp": {}}, HostConfig={"NetworkMode": "bm-n", "PortBindings": {"80/tcp": [{"HostPort": "28085"}], "81/tcp": [{"HostIp": "127.0.0.1", "HostPort": "28086"}]}})
    e.http("GET", "/containers/bm-one/json", only=["NetworkSettings"])
    e.http("GET", "/networks/bm-n")
    e.cli("exec", "bm-one", "cat", "/etc/hosts")
    e.cli("exec", "bm-one", "sh", "-c", "ip -o -4 addr | sed 's/.*inet/inet/'; ip route")


@scenario("network: two ways out")
def _(e):
    e.ask("POST", "/networks/create", {"Name": "bm-a", "EnableIPv4": False, "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "2001:db8:14::/64"}]}})
    e.ask("POST", "/networks/create", {"Name": "bm-b", "IPAM": {"Config": [{"Subnet": "10.254.24.0/24"}]}})
    e.run("bm-one", Hostname="h1", ExposedPorts={"80/tcp": {}}, HostConfig={"NetworkMode": "bm-a", "PortBindings": {"80/tcp": [{"HostPort": "28087"}]}})
    e.http("POST", "/networks/bm-b/connect", {"Container": "bm-one"})
    e.http("GET", "/containers/bm-one/json", only=["NetworkSettings.Networks"])
    e.cli("exec", "bm-one", "sh", "-c", "ip route | grep default; ip -6 route | grep default")
    e.http("GET", "/containers/json?filters=%7B%22name%22%3A%5B%22bm-one%22%5D%7D", only=lambda v: sorted(v[0]["Ports"], key=str))
    e.http("POST", "/networks/bm-a/disconnect", {"Container": "bm-one"})
    e.cli("exec", "bm-one", "sh", "-c", "ip route | grep default; ip -6 route | grep default")
    e.http("GET", "/containers/json?filters=%7B%22name%22%3A%5B%22bm-one%22%5D%7D", only=lambda v: sorted(v[0]["Ports"], key=str))


@scenario("network: macvlan")
def _(e):
    e.ask("POST", "/networks/create", {"Name": "bm-n", "Driver": "macvlan", "Options": {"parent": "docker0"}, "IPAM": {"Config": [{"Subnet": "10.254.20.0/24"}, {"Subnet": "10.254.21.0/24"}]}})
    e.run("bm-one", Hostname="h1", ExposedPorts={"80/tcp": {}}, HostConfig={"NetworkMode": "bm-n", "PortBindings": {"80/tcp": [{"HostPort": "28088"}]}}, NetworkingConfig={"EndpointsConfig": {"bm-n": {"IPAMConfig": {"IPv4Address": "10.254.21.7"}, "MacAddress": "02:42:00:00:00:77"}}})
    e.http("GET", "/containers/bm-one/json", only=["NetworkSettings"])
    e.http("GET", "/networks/bm-n")
    e.cli("exec", "bm-one", "sh", "-c", "ip -o -4 addr | sed 's/.*inet/inet/'; ip route | sort")
    e.http("POST", "/networks/create", {"Name": "bm-m", "Driver": "macvlan", "Options": {"parent": "docker0", "macvlan_mode": "passthru"}})


@scenario("network: the default bridge")
def _(e):
    e.run("bm-one", Hostname="h1", HostConfig={"NetworkMode": "bridge"})
    e.http("GET", "/containers/bm-one/json", only=["NetworkSettings"])
    e.cli("exec", "bm-one", "cat", "/etc/hosts")


@scenario("network: modes")
def _(e):
    for mode in ("none", "host"):
        e.run("bm-one", HostConfig={"NetworkMode": mode})
        e.http("GET", "/containers/bm-one/json", only=["NetworkSettings"])
        e.ask("DELETE", "/containers/bm-one?force=1")
    e.run("bm-one", Hostname="h1", HostConfig={"NetworkMode": "none"})
    e.run("bm-two", HostConfig={"NetworkMode": "container:bm-one"})
    e.http("GET", "/containers/bm-two/json", only=["NetworkSettings", "Config.Hostname"])
    e.cli("exec", "bm-two", "hostname")
    e.ask("POST", "/containers/bm-one/kill")
    e.wait()
    e.create("bm-three", HostConfig={"NetworkMode": "container:bm-one"})
    e.http("POST", "/containers/bm-three/start")


@scenario("network: ports")
def _(e):
    e.run("bm-one", ExposedPorts={"80/tcp": {}, "53/udp": {}, "99/tcp": {}}, HostConfig={"NetworkMode": "bridge", "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "28080"}], "53/udp": [{"HostPort": "28053"}]}})
    e.http("GET", "/containers/bm-one/json", only=["NetworkSettings.Ports", "HostConfig.PortBindings"])
    e.http("GET", "/containers/json?filters=%7B%22name%22%3A%5B%22bm-one%22%5D%7D", only=lambda v: sorted(v[0]["Ports"], key=str))
    e.create("bm-two", ExposedPorts={"80/tcp": {}}, HostConfig={"NetworkMode": "bridge", "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "28080"}]}})
    e.http("POST", "/containers/bm-two/start")
    e.http("GET", "/containers/bm-two/json", only=["State.Status", "State.ExitCode", "NetworkSettings.Ports"])


@scenario("network prune")
def _(e):
    e.ask("POST", "/networks/create", {"Name": "bm-n", "Labels": {"bmprune": "1"}})
    e.http("POST", "/networks/prune?filters=" + urllib.parse.quote(json.dumps({"label": ["bmprune"]})))
    e.http("POST", "/networks/prune?filters=" + urllib.parse.quote(json.dumps({"nope": ["x"]})))
    e.http("POST", "/networks/prune?filters=" + urllib.parse.quote(json.dumps({"until": ["x"]})))


G = "com.docker.network.bridge."
GATEWAYS = {
    "nat-unprotected": {"Options": {G + "gateway_mode_ipv4": "nat-unprotected", G + "gateway_mode_ipv6": "nat-unprotected"}},
    "routed": {"Options": {G + "gateway_mode_ipv4": "routed", G + "gateway_mode_ipv6": "routed"}},
    "routed, IPv4 alone": {"Options": {G + "gateway_mode_ipv4": "routed"}},
    "routed, IPv6 alone": {"Options": {G + "gateway_mode_ipv6": "routed"}},
    "isolated": {"Internal": True, "Options": {G + "gateway_mode_ipv4": "isolated", G + "gateway_mode_ipv6": "isolated"}},
    "isolated, IPv4 alone": {"Internal": True, "Options": {G + "gateway_mode_ipv4": "isolated"}},
    "isolated, not internal": {"Options": {G + "gateway_mode_ipv4": "isolated"}},
    "unknown": {"Options": {G + "gateway_mode_ipv4": "x"}},
    "empty": {"Options": {G + "gateway_mode_ipv6": ""}},
    "internal": {"Internal": True},
    "inhibited": {"Options": {G + "inhibit_ipv4": "true"}},
    "inhibited, internal": {"Internal": True, "Options": {G + "inhibit_ipv4": "true"}},
    "interface prefix": {"Options": {"com.docker.network.container_iface_prefix": "net"}},
    "host binding": {"Options": {G + "host_binding_ipv4": "127.0.0.1"}},
    "host binding of IPv6": {"Options": {G + "host_binding_ipv4": "::1"}},
    "host binding that is none": {"Options": {G + "host_binding_ipv4": "x"}},
    "trusted interfaces": {"Options": {G + "trusted_host_interfaces": "lo:eth9"}},
}


def _gateway(settings):
    def fn(e):
        r = e.http("POST", "/networks/create", dict({"Name": "bm-n", "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "10.254.25.0/24"}, {"Subnet": "2001:db8:25::/64"}]}}, **settings))
        if r.status != 201:
            return
        e.run("bm-one", Hostname="h1", ExposedPorts={"80/tcp": {}, "81/udp": {}}, HostConfig={"NetworkMode": "bm-n", "PortBindings": {"80/tcp": [{"HostPort": "28090"}], "81/udp": [{"HostIp": "127.0.0.1", "HostPort": "28091"}]}})
        e.http("GET", "/containers/bm-one/json", only=["NetworkSettings"])
        e.http("GET", "/networks/bm-n")
        e.http("GET", "/containers/json?filters=%7B%22name%22%3A%5B%22bm-one%22%5D%7D", only=lambda v: sorted(v[0]["Ports"], key=str))
        e.cli("exec", "bm-one", "sh", "-c", "ls /sys/class/net; ip -o -4 addr | sed 's/.*inet/inet/'; ip route | sort; ip -6 route | grep default")
    return fn


for _n, _b in GATEWAYS.items():
    add("network gateway mode: " + _n, _gateway(_b))

E = "com.docker.network.endpoint."
ENDPOINTS = {
    "ifname": {"DriverOpts": {E + "ifname": "mine0"}},
    "no ifname": {"DriverOpts": {E + "ifname": ""}},
    "sysctls": {"DriverOpts": {E + "sysctls": "net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.neigh.ifname.gc_stale_time=7"}},
    "sysctl of all": {"DriverOpts": {E + "sysctls": "net.ipv4.conf.all.log_martians=1"}},
    "sysctl that is none": {"DriverOpts": {E + "sysctls": "x"}},
    "sysctl, empty": {"DriverOpts": {E + "sysctls": ""}},
    "link-local": {"IPAMConfig": {"LinkLocalIPs": ["169.254.7.7"]}},
    "link-local that is none": {"IPAMConfig": {"LinkLocalIPs": ["10.1.1.1"]}},
    "link-local that is no address": {"IPAMConfig": {"LinkLocalIPs": ["x"]}},
    "link-local, unspecified": {"IPAMConfig": {"LinkLocalIPs": ["0.0.0.0"]}},
}


def _endpoint(settings):
    def fn(e):
        e.ask("POST", "/networks/create", {"Name": "bm-n", "IPAM": {"Config": [{"Subnet": "10.254.26.0/24"}]}})
        r = e.http("POST", "/containers/create?name=bm-one", {"Image": "bm-box", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "bm-n"}, "NetworkingConfig": {"EndpointsConfig": {"bm-n": settings}}})
        if r.status != 201:
            return
        if e.http("POST", "/containers/bm-one/start").status != 204:
            return
        e.http("GET", "/containers/bm-one/json", only=["NetworkSettings.Networks"])
        e.cli("exec", "bm-one", "sh", "-c", "ls /sys/class/net; ip -o -4 addr | sed 's/.*inet/inet/'; cat /proc/sys/net/ipv4/conf/*0/log_martians /proc/sys/net/ipv4/neigh/*0/gc_stale_time")
    return fn


for _n, _b in ENDPOINTS.items():
    add("network endpoint: " + _n, _endpoint(_b))
