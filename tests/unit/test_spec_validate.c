/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is refused and what is accepted, as moby 28.5 answers on a host with two processors, cgroup v1 and no Block I/O weights (but for our own
 * refusals at the end). A row is a HostConfig if it begins with a brace, else members of the create request.
 */
#include "test_spec.h"

struct refusal {
	const char *request;
	enum error_kind kind;
	const char *text;
};
struct acceptance {
	const char *request, *warning;
};

static const struct refusal refusals[] = {
    {"{\"Memory\":1000}", ERR_INVALID, "Minimum memory limit allowed is 6MB"},
    {"{\"Memory\":-1}", ERR_INVALID, "Minimum memory limit allowed is 6MB"},
    {"{\"Memory\":10000000,\"MemorySwap\":5000000}", ERR_INVALID,
     "Minimum memoryswap limit should be larger than memory limit, see usage"},
    {"{\"MemorySwap\":5000000}", ERR_INVALID,
     "You should always set the Memory limit when using Memoryswap limit, see usage"},
    {"{\"MemorySwappiness\":101}", ERR_INVALID,
     "Invalid value: 101, valid memory swappiness range is 0-100"},
    {"{\"MemorySwappiness\":-2}", ERR_INVALID,
     "Invalid value: -2, valid memory swappiness range is 0-100"},
    {"{\"Memory\":10000000,\"MemoryReservation\":20000000}", ERR_INVALID,
     "Minimum memory limit can not be less than memory reservation limit, see usage"},
    {"{\"MemoryReservation\":1000}", ERR_INVALID, "Minimum memory reservation allowed is 6MB"},
    {"{\"NanoCpus\":3000000000}", ERR_INVALID,
     "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"},
    {"{\"NanoCpus\":-1}", ERR_INVALID,
     "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"},
    {"{\"NanoCpus\":500000000,\"CpuQuota\":5000}", ERR_INVALID,
     "Conflicting options: Nano CPUs and CPU Quota cannot both be set"},
    {"{\"NanoCpus\":500000000,\"CpuPeriod\":5000}", ERR_INVALID,
     "Conflicting options: Nano CPUs and CPU Period cannot both be set"},
    {"{\"CpuPeriod\":500}", ERR_INVALID,
     "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"},
    {"{\"CpuPeriod\":2000000}", ERR_INVALID,
     "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"},
    {"{\"CpuQuota\":500}", ERR_INVALID, "CPU cfs quota can not be less than 1ms (i.e. 1000)"},
    {"{\"CpuShares\":-1}", ERR_INVALID,
     "invalid CPU shares (-1): value must be a positive integer"},
    {"{\"CpusetCpus\":\"9\"}", ERR_INVALID,
     "Requested CPUs are not available - requested 9, available: 0-1"},
    {"{\"CpusetCpus\":\"x\"}", ERR_INVALID, "Invalid value x for cpuset cpus: invalid format: x"},
    {"{\"CpusetMems\":\"5\"}", ERR_INVALID,
     "Requested memory nodes are not available - requested 5, available: 0"},
    {"{\"CpusetMems\":\"x\"}", ERR_INVALID, "Invalid value x for cpuset mems: invalid format: x"},
    {"{\"CpuRealtimePeriod\":1000,\"CpuRealtimeRuntime\":2000}", ERR_INVALID,
     "cpu real-time runtime cannot be higher than cpu real-time period"},
    {"{\"OomScoreAdj\":2000}", ERR_INVALID,
     "Invalid value 2000, range for oom score adj is [-1000, 1000]"},
    {"{\"OomScoreAdj\":-1001}", ERR_INVALID,
     "Invalid value -1001, range for oom score adj is [-1000, 1000]"},
    {"{\"ShmSize\":-1}", ERR_INVALID, "SHM size can not be less than 0"},
    {"{\"RestartPolicy\":{\"Name\":\"foo\"}}", ERR_INVALID,
     "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or "
     "'unless-stopped'"},
    {"{\"RestartPolicy\":{\"Name\":\"always\",\"MaximumRetryCount\":3}}", ERR_INVALID,
     "invalid restart policy: maximum retry count can only be used with 'on-failure'"},
    {"{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":-3}}", ERR_INVALID,
     "invalid restart policy: maximum retry count cannot be negative"},
    {"{\"RestartPolicy\":{\"Name\":\"\",\"MaximumRetryCount\":3}}", ERR_INVALID,
     "invalid restart policy: maximum retry count can only be used with 'on-failure'"},
    {"{\"RestartPolicy\":{\"Name\":\"unless-stopped\",\"MaximumRetryCount\":-1}}", ERR_INVALID,
     "invalid restart policy: maximum retry count can only be used with 'on-failure' and cannot be "
     "negative"},
    {"{\"AutoRemove\":true,\"RestartPolicy\":{\"Name\":\"always\"}}", ERR_INVALID,
     "can't create 'AutoRemove' container with restart policy"},
    {"{\"CapAdd\":[\"foo\"]}", ERR_INVALID, "invalid CapAdd: unknown capability: \"CAP_FOO\""},
    {"{\"CapDrop\":[\"foo\"]}", ERR_INVALID, "invalid CapDrop: unknown capability: \"CAP_FOO\""},
    {"{\"CapAdd\":[\"all\",\"CAP_ALL\"]}", ERR_INVALID,
     "invalid CapAdd: unknown capability: \"CAP_ALL\""},
    {"{\"CapAdd\":[\"\"]}", ERR_INVALID, "invalid CapAdd: unknown capability: \"CAP_\""},
    {"{\"SecurityOpt\":[\"foo\"]}", ERR_SYSTEM, "invalid --security-opt 1: \"foo\""},
    {"{\"SecurityOpt\":[\"foo:bar\"]}", ERR_SYSTEM, "invalid --security-opt 2: \"foo:bar\""},
    {"{\"SecurityOpt\":[\"foo=bar\"]}", ERR_SYSTEM, "invalid --security-opt 2: \"foo=bar\""},
    {"{\"SecurityOpt\":[\"no-new-privileges=x\"]}", ERR_SYSTEM,
     "invalid --security-opt 2: \"no-new-privileges=x\""},
    {"{\"SecurityOpt\":[\"writable-cgroups=x\"]}", ERR_SYSTEM,
     "invalid --security-opt 2: \"writable-cgroups=x\""},
    {"{\"SecurityOpt\":[\"seccomp\"]}", ERR_SYSTEM, "invalid --security-opt 1: \"seccomp\""},
    {"{\"SecurityOpt\":[\"label\"]}", ERR_SYSTEM, "invalid --security-opt 1: \"label\""},
    {"{\"Runtime\":\"io.containerd.\"}", ERR_INVALID,
     "unknown or invalid runtime name: io.containerd."},
    {"{\"Runtime\":\"foo\"}", ERR_INVALID, "unknown or invalid runtime name: foo"},
    {"{\"PidMode\":\"foo\"}", ERR_INVALID, "invalid PID mode: foo"},
    {"{\"PidMode\":\"container:\"}", ERR_INVALID, "invalid PID mode: container:"},
    {"{\"IpcMode\":\"foo\"}", ERR_INVALID, "invalid IPC mode: foo"},
    {"{\"UTSMode\":\"foo\"}", ERR_INVALID, "invalid UTS mode: foo"},
    {"{\"CgroupnsMode\":\"foo\"}", ERR_INVALID, "invalid cgroup namespace mode: foo"},
    {"{\"NetworkMode\":\"host\",\"Links\":[\"a:b\"]}", ERR_INVALID,
     "conflicting options: host type networking can't be used with links. This would result in "
     "undefined behavior"},
    {"{\"NetworkMode\":\"container:x\",\"Links\":[\"a:b\"]}", ERR_INVALID,
     "conflicting options: container type network can't be used with links. This would result in "
     "undefined behavior"},
    {"{\"NetworkMode\":\"container:x\",\"Dns\":[\"1.1.1.1\"]}", ERR_INVALID,
     "conflicting options: dns and the network mode"},
    {"{\"NetworkMode\":\"container:x\",\"ExtraHosts\":[\"a:1.1.1.1\"]}", ERR_INVALID,
     "conflicting options: custom host-to-IP mapping and the network mode"},
    {"{\"NetworkMode\":\"container:x\",\"PortBindings\":{\"80\":[{}]}}", ERR_INVALID,
     "conflicting options: port publishing and the container type network mode"},
    {"{\"NetworkMode\":\"container:x\",\"PublishAllPorts\":true}", ERR_INVALID,
     "conflicting options: port publishing and the container type network mode"},
    {"{\"Isolation\":\"foo\"}", ERR_INVALID,
     "invalid isolation (foo): linux only supports 'default'"},
    {"{\"Isolation\":\"hyperv\"}", ERR_INVALID,
     "invalid isolation (hyperv): linux only supports 'default'"},
    {"{\"Isolation\":\"process\"}", ERR_INVALID,
     "invalid isolation (process): linux only supports 'default'"},
    {"{\"ExtraHosts\":[\"foo\"]}", ERR_INVALID, "bad format for add-host: \"foo\""},
    {"{\"ExtraHosts\":[\"foo:bar\"]}", ERR_INVALID, "invalid IP address in add-host: \"bar\""},
    {"{\"ExtraHosts\":[\"foo=1.2.3.4\"]}", ERR_INVALID, "bad format for add-host: \"foo=1.2.3.4\""},
    {"{\"Links\":[\"a:b:c\"]}", ERR_SYSTEM, "bad format for links: a:b:c"},
    {"{\"VolumesFrom\":[\"foo:zz\"]}", ERR_INVALID, "invalid mode: zz"},
    {"{\"VolumesFrom\":[\"\"]}", ERR_INVALID,
     "volumes-from specification cannot be an empty string"},
    {"{\"PortBindings\":{\"foo\":[{}]}}", ERR_INVALID, "invalid port specification: \"foo\""},
    {"{\"PortBindings\":{\"80\":[{\"HostPort\":\"foo\"}]}}", ERR_INVALID,
     "invalid port specification: \"foo\""},
    {"{\"PortBindings\":{\"80\":[{\"HostPort\":\"99999\"}]}}", ERR_INVALID,
     "invalid port specification: \"99999\""},
    {"{\"PortBindings\":{\"80-81\":[{}]}}", ERR_INVALID, "invalid port specification: \"80-81\""},
    {"{\"PortBindings\":{\"99999/tcp\":[{}]}}", ERR_INVALID,
     "invalid port specification: \"99999\""},
    {"{\"Annotations\":{\"\":\"x\"}}", ERR_INVALID,
     "invalid Annotations: the empty string is not permitted as an annotation key"},
    {"{\"IOMaximumIOps\":5}", ERR_INVALID,
     "invalid option: QoS maximum IOPs configuration is not supported on linux"},
    {"\"WorkingDir\":\"foo\"", ERR_INVALID,
     "the working directory 'foo' is invalid, it needs to be an absolute path"},
    {"\"StopSignal\":\"FOO\"", ERR_INVALID, "invalid signal: FOO"},
    {"\"StopSignal\":\"0\"", ERR_INVALID, "invalid signal: 0"},
    {"\"Hostname\":\"x\",\"HostConfig\":{\"UTSMode\":\"host\"}", ERR_INVALID,
     "conflicting options: hostname and the UTS mode"},
    {"\"Hostname\":\"x\",\"HostConfig\":{\"NetworkMode\":\"container:y\"}", ERR_INVALID,
     "conflicting options: hostname and the network mode"},
    {"\"ExposedPorts\":{\"80/tcp\":{}},\"HostConfig\":{\"NetworkMode\":\"container:y\"}",
     ERR_INVALID, "conflicting options: port exposing and the container type network mode"},
    {"\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":5}", ERR_INVALID,
     "Interval in Healthcheck cannot be less than 1ms"},
    {"\"Healthcheck\":{\"Interval\":-5}", ERR_INVALID,
     "Interval in Healthcheck cannot be less than 1ms"},
    {"\"Healthcheck\":{\"Timeout\":5}", ERR_INVALID,
     "Timeout in Healthcheck cannot be less than 1ms"},
    {"\"Healthcheck\":{\"Timeout\":-5}", ERR_INVALID,
     "Timeout in Healthcheck cannot be less than 1ms"},
    {"\"Healthcheck\":{\"Retries\":-5}", ERR_INVALID, "Retries in Healthcheck cannot be negative"},
    {"\"Healthcheck\":{\"StartPeriod\":5}", ERR_INVALID,
     "StartPeriod in Healthcheck cannot be less than 1ms"},
    {"\"Healthcheck\":{\"StartPeriod\":-5}", ERR_INVALID,
     "StartPeriod in Healthcheck cannot be less than 1ms"},
    {"\"Healthcheck\":{\"StartInterval\":5}", ERR_INVALID,
     "StartInterval in Healthcheck cannot be less than 1ms"},
    {"\"Env\":[\"=foo\"]", ERR_INVALID, "invalid environment variable: =foo"},
    {"\"Env\":[\"\"]", ERR_INVALID, "invalid environment variable: "},
    {"\"Cmd\":[]", ERR_INVALID, "no command specified"},
    {"{\"Binds\":[\"x\"]}", ERR_SYSTEM,
     "invalid volume specification: 'x': invalid mount config for type \"volume\": invalid mount "
     "path: 'x' mount path must be absolute"},
    {"{\"Binds\":[\":\"]}", ERR_SYSTEM, "invalid volume specification: ':'"},
    {"{\"Binds\":[\"/a:b:c:d\"]}", ERR_SYSTEM, "invalid volume specification: '/a:b:c:d'"},
    {"{\"Binds\":[\"a:/b:zz\"]}", ERR_SYSTEM, "invalid mode: zz"},
    {"{\"Binds\":[\"/a:/b:ro,rw\"]}", ERR_SYSTEM, "invalid mode: ro,rw"},
    {"{\"Binds\":[\":/x\"]}", ERR_SYSTEM, "invalid volume specification: ':/x'"},
    {"{\"Binds\":[\"/a:/\"]}", ERR_SYSTEM,
     "invalid volume specification: '/a:/': invalid mount config for type \"bind\": invalid "
     "specification: destination can't be '/'"},
    {"{\"Binds\":[\"/a:b\"]}", ERR_SYSTEM,
     "invalid volume specification: '/a:b': invalid mount config for type \"bind\": invalid mount "
     "path: 'b' mount path must be absolute"},
    {"{\"Binds\":[\"/a:/b:nocopy\"]}", ERR_SYSTEM,
     "invalid volume specification: '/a:/b:nocopy': invalid mount config for type \"bind\": field "
     "VolumeOptions must not be specified"},
    {"{\"Binds\":[\"v1v:/x:rslave\"]}", ERR_SYSTEM,
     "invalid volume specification: 'v1v:/x:rslave': invalid mount config for type \"volume\": "
     "field BindOptions must not be specified"},
    {"{\"Binds\":[\"/a:/../\"]}", ERR_SYSTEM,
     "invalid volume specification: '/a:/../': invalid mount config for type \"bind\": invalid "
     "specification: destination can't be '/'"},
    {"{\"Binds\":[\"/a:/b:ro,z,Z\"]}", ERR_SYSTEM, "invalid mode: ro,z,Z"},
    {"{\"Binds\":[\"/x:/y:rprivate,rshared\"]}", ERR_SYSTEM, "invalid mode: rprivate,rshared"},
    {"{\"Binds\":[\"/a:rw\"]}", ERR_SYSTEM, "invalid volume specification: '/a:rw'"},
    {"{\"Binds\":[\"/a:ro,z\"]}", ERR_SYSTEM, "invalid volume specification: '/a:ro,z'"},
    {"{\"Binds\":[\"/a:/b:/c\"]}", ERR_SYSTEM, "invalid mode: /c"},
    {"{\"Binds\":[\"/a::/b\"]}", ERR_SYSTEM, "invalid mode: /b"},
    {"{\"Binds\":[\"/a:\"]}", ERR_SYSTEM, "invalid volume specification: '/a:'"},
    {"{\"Binds\":[\"::\"]}", ERR_SYSTEM, "invalid volume specification: '::'"},
    {"{\"Binds\":[\"/a:/b\",\"/c:/b\"]}", ERR_INVALID, "Duplicate mount point: /b"},
    {"{\"Binds\":[\"/a:/b\"],\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/b\"}]}", ERR_INVALID,
     "Duplicate mount point: /b"},
    {"{\"Tmpfs\":{\"/\":\"\"}}", ERR_INVALID, "invalid specification: destination can't be '/'"},
    {"{\"Tmpfs\":{\"rel\":\"\"}}", ERR_INVALID,
     "invalid mount path: 'rel' mount path must be absolute"},
    {"{\"Mounts\":[{}]}", ERR_INVALID,
     "invalid mount config for type \"\": field Target must not be empty"},
    {"{\"Mounts\":[{\"Type\":\"foo\",\"Target\":\"/x\"}]}", ERR_INVALID,
     "invalid mount config for type \"foo\": mount type unknown"},
    {"{\"Mounts\":[{\"Type\":\"image\",\"Target\":\"/x\"}]}", ERR_INVALID,
     "invalid mount config for type \"image\": field Source must not be empty"},
    {"{\"Mounts\":[{\"Type\":\"image\",\"Source\":\"i\",\"Target\":\"/x\","
     "\"ImageOptions\":{\"Subpath\":\"a/../../b\"}}]}",
     ERR_INVALID,
     "invalid mount config for type \"image\": subpath must be a relative path within the volume"},
    {"{\"Mounts\":[{\"Type\":\"image\",\"Source\":\"i\",\"Target\":\"/x\",\"BindOptions\":{}}]}",
     ERR_INVALID, "BindOptions must not be specified on mount type \"image\""},
    {"{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/x\",\"ImageOptions\":{}}]}", ERR_INVALID,
     "invalid mount config for type \"tmpfs\": field ImageOptions must not be specified"},
    {"{\"Mounts\":[{\"Type\":\"bind\",\"Target\":\"/x\"}]}", ERR_INVALID,
     "invalid mount config for type \"bind\": field Source must not be empty"},
    {"{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/nonex\",\"Target\":\"/x\"}]}", ERR_INVALID,
     "invalid mount config for type \"bind\": bind source path does not exist: /nonex"},
    {"{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"rel\",\"Target\":\"/x\"}]}", ERR_INVALID,
     "invalid mount config for type \"bind\": invalid mount path: 'rel' mount path must be "
     "absolute"},
    {"{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/tmp\",\"Target\":\"x\"}]}", ERR_INVALID,
     "invalid mount config for type \"bind\": invalid mount path: 'x' mount path must be absolute"},
    {"{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/tmp\",\"Target\":\"/\"}]}", ERR_INVALID,
     "invalid mount config for type \"bind\": invalid specification: destination can't be '/'"},
    {"{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/tmp\"}]}", ERR_INVALID,
     "invalid mount config for type \"bind\": field Target must not be empty"},
    {"{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/tmp\",\"Target\":\"/"
     "x\",\"VolumeOptions\":{}}]}",
     ERR_INVALID, "VolumeOptions must not be specified on mount type \"bind\""},
    {"{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/tmp\",\"Target\":\"/"
     "x\",\"BindOptions\":{\"Propagation\":\"foo\"}}]}",
     ERR_INVALID, "invalid mount config for type \"bind\": invalid propagation mode: foo"},
    {"{\"Mounts\":[{\"Type\":\"volume\",\"Target\":\"/x\",\"ReadOnly\":true}]}", ERR_INVALID,
     "invalid mount config for type \"volume\": must not set ReadOnly mode when using anonymous "
     "volumes"},
    {"{\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"v1v\",\"Target\":\"/x\",\"BindOptions\":{}}]}",
     ERR_INVALID, "BindOptions must not be specified on mount type \"volume\""},
    {"{\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"v1v\",\"Target\":\"/"
     "x\",\"VolumeOptions\":{\"Subpath\":\"../x\"}}]}",
     ERR_INVALID,
     "invalid mount config for type \"volume\": subpath must be a relative path within the volume"},
    {"{\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"v1v\",\"Target\":\"/"
     "x\",\"VolumeOptions\":{\"Subpath\":\"/x\"}}]}",
     ERR_INVALID,
     "invalid mount config for type \"volume\": subpath must be a relative path within the volume"},
    {"{\"Mounts\":[{\"Type\":\"tmpfs\",\"Source\":\"a\",\"Target\":\"/x\"}]}", ERR_INVALID,
     "invalid mount config for type \"tmpfs\": field Source must not be specified"},
    {"{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/x\",\"BindOptions\":{}}]}", ERR_INVALID,
     "BindOptions must not be specified on mount type \"tmpfs\""},
    {"{\"Mounts\":[{\"Type\":\"cluster\",\"Source\":\"a\",\"Target\":\"/x\"}]}", ERR_INVALID,
     "invalid mount config for type \"cluster\": mount type unknown"},
    {"{\"Mounts\":[{\"Type\":\"npipe\",\"Source\":\"/a\",\"Target\":\"/x\"}]}", ERR_INVALID,
     "invalid mount config for type \"npipe\": mount type unknown"},
    {"{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/"
     "x\",\"TmpfsOptions\":{\"Options\":[[\"foo\"]]}}]}",
     ERR_INVALID, "invalid mount config for type \"tmpfs\": invalid option: foo"},
    {"{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/"
     "x\",\"TmpfsOptions\":{\"Options\":[[\"a\",\"b\",\"c\"]]}}]}",
     ERR_INVALID, "invalid mount config for type \"tmpfs\": invalid option array length"},
    {"{\"Mounts\":[{\"Type\":\"volume\",\"Target\":\"/x\",\"VolumeOptions\":{\"Subpath\":\"a\"}}]}",
     ERR_INVALID,
     "invalid mount config for type \"volume\": must not set Subpath when using anonymous volumes"},
    {"{\"Mounts\":[{\"Type\":\"bind\",\"Target\":\"/x\",\"VolumeOptions\":{}}]}", ERR_INVALID,
     "VolumeOptions must not be specified on mount type \"bind\""},
    {"{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/tmp\",\"Target\":\"/x\",\"TmpfsOptions\":{}}]}",
     ERR_INVALID, "TmpfsOptions must not be specified on mount type \"bind\""},
};

static const struct acceptance acceptances[] = {
    {"{\"MemorySwap\":-1}", ""},
    {"{\"MemorySwappiness\":-1}", ""},
    {"{\"KernelMemory\":10000000}", ""},
    {"{\"KernelMemoryTCP\":10000}", ""},
    {"{\"NanoCpus\":5}", ""},
    {"{\"CpuQuota\":-1}", ""},
    {"{\"CpuShares\":1}", ""},
    {"{\"CpusetCpus\":\"0-1,1\"}", ""},
    {"{\"CpuRealtimeRuntime\":1000}", ""},
    {"{\"CpuRealtimePeriod\":1000}", ""},
    {"{\"CpuPercent\":5}", "linux does not support CPU percent. Percent discarded."},
    {"{\"BlkioWeight\":5}", "Your kernel does not support Block I/O weight or the cgroup is not "
			    "mounted. Weight discarded."},
    {"{\"BlkioWeight\":1001}", "Your kernel does not support Block I/O weight or the cgroup is not "
			       "mounted. Weight discarded."},
    {"{\"BlkioWeight\":500}", "Your kernel does not support Block I/O weight or the cgroup is not "
			      "mounted. Weight discarded."},
    {"{\"BlkioWeightDevice\":[{\"Path\":\"/dev/loop0\",\"Weight\":5}]}",
     "Your kernel does not support Block I/O weight_device or the cgroup is not mounted. "
     "Weight-device discarded."},
    {"{\"BlkioWeightDevice\":[{\"Path\":\"/dev/loop0\",\"Weight\":500}]}",
     "Your kernel does not support Block I/O weight_device or the cgroup is not mounted. "
     "Weight-device discarded."},
    {"{\"BlkioDeviceReadBps\":[{\"Path\":\"/dev/nonex\",\"Rate\":5}]}", ""},
    {"{\"PidsLimit\":-5}", ""},
    {"{\"OomKillDisable\":true}",
     "OOM killer is disabled for the container, but no memory limit is set, this can result in the "
     "system running out of resources."},
    {"{\"OomKillDisable\":true,\"Memory\":10000000}", ""},
    {"{\"AutoRemove\":true,\"RestartPolicy\":{\"Name\":\"no\"}}", ""},
    {"{\"SecurityOpt\":[\"seccomp:unconfined\"]}", ""},
    {"{\"SecurityOpt\":[\"no-new-privileges:true\"]}", ""},
    {"{\"SecurityOpt\":[\"apparmor=foo\"]}", ""},
    {"{\"SecurityOpt\":[\"label=type:foo\"]}", ""},
    {"{\"SecurityOpt\":[\"label=disable\"]}", ""},
    {"{\"SecurityOpt\":[\"disable\"]}", ""},
    {"{\"SecurityOpt\":[\"seccomp={}\"]}", ""},
    {"{\"SecurityOpt\":[\"seccomp=/x\"]}", ""},
    {"{\"SecurityOpt\":[\"writable-cgroups=true\"]}", ""},
    {"{\"SecurityOpt\":[\"writable-cgroups\"]}", ""},
    {"{\"SecurityOpt\":[\"label:disable\"]}", ""},
    {"{\"UsernsMode\":\"host\"}", ""},
    {"{\"CgroupnsMode\":\"private\",\"Privileged\":true}", ""},
    {"{\"NetworkMode\":\"container:foo\"}", ""},
    {"{\"NetworkMode\":\"foo\"}", ""},
    {"{\"NetworkMode\":\"host\",\"PortBindings\":{\"80\":[{\"HostPort\":\"1\"}]}}",
     "Published ports are discarded when using host network mode"},
    {"{\"NetworkMode\":\"container:x\",\"UTSMode\":\"host\"}", ""},
    {"{\"Isolation\":\"default\"}", ""},
    {"{\"Ulimits\":[{\"Name\":\"foo\",\"Soft\":1,\"Hard\":2}]}", ""},
    {"{\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":5,\"Hard\":2}]}", ""},
    {"{\"Ulimits\":[{\"Name\":\"NOFILE\",\"Soft\":1,\"Hard\":2}]}", ""},
    {"{\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":-1,\"Hard\":5}]}", ""},
    {"{\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":-2,\"Hard\":-2}]}", ""},
    {"{\"Dns\":[\"foo\"]}", ""},
    {"{\"DnsSearch\":[\"foo bar\"]}", ""},
    {"{\"ExtraHosts\":[\"foo:host-gateway\"]}", ""},
    {"{\"Devices\":[{\"PathOnHost\":\"/dev/nonex\",\"PathInContainer\":\"/dev/"
     "x\",\"CgroupPermissions\":\"rwm\"}]}",
     ""},
    {"{\"Devices\":[{\"PathOnHost\":\"/dev/null\",\"PathInContainer\":\"/dev/"
     "x\",\"CgroupPermissions\":\"foo\"}]}",
     ""},
    {"{\"Devices\":[{\"PathOnHost\":\"/dev/"
     "null\",\"PathInContainer\":\"\",\"CgroupPermissions\":\"\"}]}",
     ""},
    {"{\"DeviceCgroupRules\":[\"foo\"]}", ""},
    {"{\"VolumeDriver\":\"foo\"}", ""},
    {"{\"LogConfig\":{\"Type\":\"none\",\"Config\":{\"foo\":\"b\"}}}", ""},
    {"{\"PortBindings\":{\"0\":[{}]}}", ""},
    {"{\"Sysctls\":{\"foo\":\"bar\"}}", ""},
    {"{\"Sysctls\":{\"net.foo\":\"1\"},\"NetworkMode\":\"host\"}", ""},
    {"{\"Sysctls\":{\"kernel.shmmax\":\"1\"},\"IpcMode\":\"host\"}", ""},
    {"{\"GroupAdd\":[\"foo\"]}", ""},
    {"{\"CgroupParent\":\"foo\"}", ""},
    {"{\"CgroupParent\":\"../../x\"}", ""},
    {"{\"CgroupParent\":\"foo.slice\"}", ""},
    {"{\"Annotations\":{\"a\":\"\"}}", ""},
    {"{\"ReadonlyPaths\":[\"foo\"]}", ""},
    {"{\"MaskedPaths\":[\"foo\"]}", ""},
    {"{\"Init\":true,\"PidMode\":\"host\"}", ""},
    {"{\"CpuCount\":5}", ""},
    {"{\"ContainerIDFile\":\"x\"}", ""},
    {"\"StopSignal\":\"\"", ""},
    {"\"StopSignal\":\"SIGRTMIN+3\"", ""},
    {"\"Hostname\":\"foo bar\"", ""},
    {"\"Hostname\":\"-foo\"", ""},
    {"\"Hostname\":"
     "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
     ""},
    {"\"Domainname\":\"foo bar\"", ""},
    {"\"Hostname\":\"x\",\"HostConfig\":{\"NetworkMode\":\"host\"}", ""},
    {"\"Healthcheck\":{\"Test\":[]}", ""},
    {"\"Env\":[\"a\"]", ""},
    {"\"Volumes\":{\"foo\":{}}", ""},
    {"\"Volumes\":{\"a:b\":{}}", ""},
    {"\"Volumes\":{\"/a:/b\":{}}", ""},
    {"\"Volumes\":{\"/a\":{}},\"HostConfig\":{\"Binds\":[\"/c:/a\"]}", ""},
    {"\"User\":\"foo\"", ""},
    {"\"StopTimeout\":-5", ""},
    {"\"Labels\":{\"\":\"x\"}", ""},
    {"\"Entrypoint\":[\"\"]", ""},
    {"\"Cmd\":[\"\"]", ""},
    {"\"Tty\":true,\"HostConfig\":{\"NetworkMode\":\"none\",\"Dns\":[\"a\"]}", ""},
    {"\"Image\":\"\"", ""},
    {"\"AttachStdin\":true", ""},
    {"\"OnBuild\":[\"x\"]", ""},
    {"{\"Binds\":[\"/a\"]}", ""},
    {"{\"Binds\":[\"v1v:/x:nocopy,ro\"]}", ""},
    {"{\"Binds\":[\"/nonexist/:/x//y/\"]}", ""},
    {"{\"Binds\":[\"v1v:/x:cached\"]}", ""},
    {"{\"Binds\":[\"/a:/b:\"]}", ""},
    {"{\"Tmpfs\":{\"/x\":\"size=1,bar\"}}", ""},
    {"{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/x\",\"TmpfsOptions\":{\"SizeBytes\":-1}}]}",
     ""},
    {"{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/x\",\"ReadOnly\":true}]}", ""},
    {"{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/tmp\",\"Target\":\"/"
     "x\",\"BindOptions\":{\"NonRecursive\":true,\"ReadOnlyForceRecursive\":true}}]}",
     ""},
};

/* Not moby's answers: what isn't built yet is refused by name. */
static const struct refusal missing[] = {
    {"{\"DeviceRequests\":[{\"Capabilities\":[[\"gpu\",\"nvidia\"],[\"x\"]]}]}", ERR_SYSTEM,
     "could not select device driver \"\" with capabilities: [[gpu nvidia] [x]]"},
};

/* The way of a create request through this room. */
static int check(const char *request, struct strlist *warnings, struct error *err)
{
	auto_str text = STR_INIT, config = STR_INIT, host_config = STR_INIT, merged = STR_INIT,
		 adapted = STR_INIT;
	auto_json *tree = NULL, *c = NULL, *h = NULL;

	str_printf(&text,
		   *request == '{' ? "{\"Cmd\":[\"sleep\",\"9\"],\"HostConfig\":%s}"
				   : "{\"Cmd\":[\"sleep\",\"9\"],%s}",
		   request);
	tree = json_parse(text.p, text.len, err);
	assert_non_null(tree);
	if (spec_normalise_config(tree, &config, err) < 0 ||
	    spec_normalise_host_config(json_get(tree, "HostConfig"), &host_config, err) < 0)
		return -1;
	c = json_parse(config.p, config.len, err);
	h = json_parse(host_config.p, host_config.len, err);
	if (spec_merge_image(c, NULL, &merged, err) < 0 ||
	    spec_validate(c, h, &test_host, warnings, err) < 0 || spec_refuse_missing(h, err) < 0)
		return -1;
	/* what was accepted must still be so when its defaults are filled in: update checks again */
	assert_int_equal(spec_adapt_host_config(h, &test_host, &adapted, err), 0);
	json_free(h);
	h = json_parse(adapted.p, adapted.len, err);
	return spec_validate(c, h, &test_host, NULL, err);
}

static void expect_refusal(const struct refusal *r)
{
	auto_strlist warnings = STRLIST_INIT;
	struct error err = ERROR_INIT;

	if (check(r->request, &warnings, &err) == 0)
		fail_msg("accepted: %s", r->request);
	assert_string_equal(err.text, r->text);
	if (err.kind != r->kind)
		fail_msg("%s: kind %d, not %d", r->request, (int)err.kind, (int)r->kind);
}

void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		expect_refusal(&refusals[i]);
	for (size_t i = 0; i < ARRAY_LEN(missing); i++)
		expect_refusal(&missing[i]);
}

void test_acceptances(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(acceptances); i++) {
		auto_strlist warnings = STRLIST_INIT;
		struct error err = ERROR_INIT;

		/* depends on the host's kernel, not on our rules */
		if (strstr(acceptances[i].request, "Blkio") ||
		    strstr(acceptances[i].request, "CpusetMems"))
			continue;
		if (check(acceptances[i].request, &warnings, &err) < 0)
			fail_msg("refused: %s: %s", acceptances[i].request, err.text);
		assert_string_equal(warnings.n ? warnings.v[0] : "", acceptances[i].warning);
	}
}

void test_host_of_cgroup_v2(void **state)
{
	auto_json *c = tree_of("{}"),
		  *h =
		      tree_of("{\"OomKillDisable\":true,\"MemorySwappiness\":5,\"BlkioWeight\":5}");
	struct spec_host v2 = test_host;
	auto_strlist warnings = STRLIST_INIT;
	auto_str adapted = STR_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	v2.cgroup_version = "2";
	assert_int_equal(spec_validate(c, h, &v2, &warnings, &err), -1);
	assert_string_equal(err.text, "Range of blkio weight is from 10 to 1000");
	assert_int_equal(warnings.n, 2);
	assert_string_equal(
	    warnings.v[1],
	    "Your kernel does not support OomKillDisable. OomKillDisable discarded.");
	assert_int_equal(spec_adapt_host_config(h, &v2, &adapted, &err), 0);
	assert_non_null(strstr(adapted.p, "\"MemorySwappiness\":null,\"OomKillDisable\":null"));
	assert_non_null(strstr(adapted.p, "\"CgroupnsMode\":\"private\""));
}

/* ---- Versions of the API ------------------------------------------------------------------------------------------------------------ */

#define BIND(options)                                                                        \
	"{\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"ReadOnly\":true,\"BindOptions\":" \
	"{" options "}}]}}"

/* What a body is worth in a version: the body of today, or the refusal. */
static const struct {
	int version;
	const char *body, *becomes;
} versions[] = {
    {39, "{}", "{\"HostConfig\":{\"CgroupnsMode\":\"host\",\"IpcMode\":\"shareable\"}}"},
    {40, "{}", "{\"HostConfig\":{\"CgroupnsMode\":\"host\"}}"},
    {41, "{}", "{}"},
    {39,
     "{\"HostConfig\":{\"CgroupnsMode\":\"private\",\"IpcMode\":\"host\",\"MaskedPaths\":[],"
     "\"maskedpaths\":[],\"KernelMemoryTCP\":1}}",
     "{\"HostConfig\":{\"CgroupnsMode\":\"private\",\"IpcMode\":\"host\"}}"},
    {41, "{\"HostConfig\":{\"KernelMemory\":1,\"ConsoleSize\":[1,2]}}",
     "{\"HostConfig\":{\"KernelMemory\":1}}"},
    {42, "{\"HostConfig\":{\"KernelMemory\":1,\"ConsoleSize\":[1,2],\"Annotations\":{}}}",
     "{\"HostConfig\":{\"ConsoleSize\":[1,2]}}"},
    {43, "{\"HostConfig\":{\"Annotations\":{}},\"Healthcheck\":{\"StartInterval\":1}}",
     "{\"HostConfig\":{\"Annotations\":{}},\"Healthcheck\":{}}"},
    {44, "{\"Healthcheck\":{\"StartInterval\":1}}", "{\"Healthcheck\":{\"StartInterval\":1}}"},
    {39, BIND("\"NonRecursive\":true,\"CreateMountpoint\":true"),
     "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"ReadOnly\":true,\"BindOptions\":{"
     "\"ReadOnlyNonRecursive\":true}}],"
     "\"CgroupnsMode\":\"host\",\"IpcMode\":\"shareable\"}}"},
    {43, BIND("\"NonRecursive\":true"),
     BIND("\"NonRecursive\":true,\"ReadOnlyNonRecursive\":true")},
    {43, BIND("\"ReadOnlyForceRecursive\":true"),
     "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer"},
    {44, BIND("\"ReadOnlyForceRecursive\":true"), BIND("\"ReadOnlyForceRecursive\":true")},
    {44, "{\"HostConfig\":{\"Mounts\":[{\"VolumeOptions\":{\"Subpath\":\"x\"}}]}}",
     "VolumeOptions.Subpath needs API v1.45 or newer"},
    {47, "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"image\"}]}}",
     "Mount type \"Image\" needs API v1.48 or newer"},
    {43, "{\"NetworkingConfig\":{\"EndpointsConfig\":{\"a\":{},\"b\":{}}}}",
     "Container cannot be created with multiple network endpoints: a, b"},
    {43, "{\"NetworkingConfig\":{\"EndpointsConfig\":{\"a\":{\"MacAddress\":\"x\"}}}}",
     "{\"NetworkingConfig\":{\"EndpointsConfig\":{\"a\":{}}}}"},
    {43, "{\"MacAddress\":\"x\",\"HostConfig\":{\"NetworkMode\":\"host\"}}",
     "conflicting options: mac-address and the network mode"},
    {44, "{\"MacAddress\":\"x\",\"HostConfig\":{\"NetworkMode\":\"host\"}}",
     "{\"MacAddress\":\"x\",\"HostConfig\":{\"NetworkMode\":\"host\"}}"},
    /* what is of another type is for the check of today to refuse */
    {24, "{\"HostConfig\":[],\"NetworkingConfig\":1,\"Healthcheck\":\"\"}",
     "{\"HostConfig\":[],\"NetworkingConfig\":1,\"Healthcheck\":\"\"}"},
    {24,
     "{\"HostConfig\":{\"Mounts\":[1,{\"BindOptions\":[]}],\"IpcMode\":\"x\",\"CgroupnsMode\":"
     "\"x\"}}",
     "{\"HostConfig\":{\"Mounts\":[1,{\"BindOptions\":[]}],\"IpcMode\":\"x\",\"CgroupnsMode\":"
     "\"x\"}}"},
    {24, "[]", "[]"},
    {41,
     "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"VolumeOptions\":{},\"TmpfsOptions\":{}}]}}",
     "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\"}]}}"},
    {24, "{\"HostConfig\":{\"AutoRemove\":true,\"IpcMode\":\"x\",\"CgroupnsMode\":\"x\"}}",
     "{\"HostConfig\":{\"IpcMode\":\"x\",\"CgroupnsMode\":\"x\"}}"},
};

void test_versions(void **state)
{
	auto_json *modern = tree_of("{}");
	struct error ok = ERROR_INIT;

	(void)state;
	assert_int_equal(spec_from_version(modern, 40, true, &ok), 0);
	assert_string_equal(json_get_str(json_get(modern, "HostConfig"), "CgroupnsMode", ""), "");
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		auto_json *body = tree_of(versions[i].body);
		struct error err = ERROR_INIT;
		auto_str out = STR_INIT;

		if (spec_from_version(body, versions[i].version, false, &err) < 0)
			str_puts(&out, err.text);
		else
			json_print(body, &out);
		assert_string_equal(str_cstr(&out), versions[i].becomes);
	}
}
