# SPDX-License-Identifier: Apache-2.0
# docker compose v2 brings up, scales, changes and takes down a file with three networks, aliases, ports and a health check. Needs the plugin: that of
# $DOCKERD_COMPOSE, or one that is installed.
. "$TOP/tests/lib/system.sh"
bridge=dkcc0 subnet=10.122.0
for plugin in "${DOCKERD_COMPOSE:-}" /usr/libexec/docker/cli-plugins/docker-compose /usr/lib/docker/cli-plugins/docker-compose; do [ -x "$plugin" ] && break; done
if [ ! -x "$plugin" ] || ! "$plugin" version >/dev/null 2>&1; then
	skip "docker compose" "no docker compose here"
	finish
	exit
fi
start_daemon
make_image
mkdir -p "$DOCKER_CONFIG/cli-plugins" "$R/shop"
ln -s "$plugin" "$DOCKER_CONFIG/cli-plugins/docker-compose"
cat >"$R/shop/compose.yaml" <<'YAML'
name: shop
services:
  db:
    image: busybox
    command: ["httpd", "-f", "-p", "5432", "-h", "/"]
    networks: {back: {aliases: [database]}}
    volumes: ["data:/srv"]
    healthcheck: {test: ["CMD-SHELL", "netstat -ltn | grep -q :5432"], interval: 100ms, timeout: 10s, retries: 100}
  app:
    image: busybox
    command: ["httpd", "-f", "-p", "8000", "-h", "/"]
    networks:
      back: {}
      front: {aliases: [application]}
    depends_on: {db: {condition: service_healthy}}
    volumes: ["data:/srv:ro"]
  web:
    image: busybox
    command: ["httpd", "-f", "-p", "80", "-h", "/"]
    networks:
      front: {ipv4_address: 10.252.0.10}
      edge: {}
    ports: ["127.0.0.1:18480:80", "18490-18491:90/udp"]
    depends_on: [app]
    extra_hosts: ["host.docker.internal:host-gateway"]
    labels: {tier: edge}
networks:
  back: {internal: true}
  front:
    driver_opts: {com.docker.network.bridge.name: ts-front}
    ipam: {config: [{subnet: 10.252.0.0/24, gateway: 10.252.0.1}]}
  edge: {labels: {zone: edge}}
volumes: {data: {}}
YAML
compose() { (cd "$R/shop" && STEP=120 docker compose --progress quiet "$@"); }
lookup() { compose exec -T "$1" nslookup "$2" 2>/dev/null | grep -c '^Address: 1[07]'; } # SERVICE NAME

works "up, and healthy" compose up -d --wait
is "what runs" "app running  
db running healthy 
web running  127.0.0.1:18480->80/tcp, 0.0.0.0:18490->90/udp, [::]:18490->90/udp" "$(compose ps --format '{{.Service}} {{.State}} {{.Health}} {{.Ports}}' | sort)"
is "networks" "shop_back true shop_edge false shop_front false" "$(docker network ls -f label=com.docker.compose.project=shop --format '{{.Name}} {{.Internal}}' | sort | xargs)"
is "names across networks" "1 1 0" "$(lookup web application) $(lookup app database) $(lookup web database)"
is "the address asked for" 10.252.0.10 "$(docker inspect -f '{{.NetworkSettings.Networks.shop_front.IPAddress}}' shop-web-1)"
is "a published port" 200 "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:18480/bin/busybox)"
is "compose port" "127.0.0.1:18480 0.0.0.0:18490" "$(compose port web 80) $(compose port --protocol udp web 90)"
is "host-gateway" "$subnet.1" "$(compose exec -T web grep host.docker.internal /etc/hosts | cut -f1)"
works "scale" compose up -d --wait --scale app=3
is "all of them answer to the name" 3 "$(lookup web app)"
before=$(compose ps -q | sort)
works "up again" compose up -d --scale app=3
is "changes nothing" "$before" "$(compose ps -q | sort)"
works "restart" compose restart -t 0 web
works "stop" compose stop -t 0 app
works "start" compose start app
is "run" hi "$(compose run --rm --no-deps -T app echo hi)"
sed -i 's/tier: edge/tier: other/' "$R/shop/compose.yaml"
works "a changed service" compose up -d --scale app=3
is "is made anew, alone" "other 4" "$(docker inspect -f '{{index .Config.Labels "tier"}}' shop-web-1) $(compose ps -q | sort | comm -12 - <(echo "$before") | wc -l)"
works "down" compose down -v -t 0
is "leaves nothing" "0 0 0" "$(docker ps -aq | wc -l) $(docker network ls -q -f type=custom | wc -l) $(docker volume ls -q | wc -l)"
rules_settled
is "nor rules" "" "$(iptables-save | grep -e 10.252 -e ts-front)"
finish
