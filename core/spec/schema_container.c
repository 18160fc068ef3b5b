/* SPDX-License-Identifier: Apache-2.0 */
/* The structs of the containers API (moby api/types 28.5: container, mount, network), in the order in which they are printed. */
#include "spec/mounts_int.h"
#include "spec/schema.h"

#include "base/cleanup.h"
#include "spec/spec.h"

#define TYPE(var, k, label) static const struct go_type var = {.kind = (k), .name = (label)}
#define INT_TYPE(var, label, lo, hi)        \
	static const struct go_type var = { \
	    .kind = GO_INT, .name = (label), .min = (lo), .max = (hi)}
#define OF_TYPE(var, k, label, e) \
	static const struct go_type var = {.kind = (k), .name = (label), .elem = &(e)}
#define STRUCT_TYPE(var, label, f) \
	static const struct go_type var = {.kind = GO_STRUCT, .name = (label), .fields = (f)}
#define FIELD(n, t)                                           \
	{                                                     \
		.name = (n), .type = &(t), .omitempty = false \
	}
#define FIELD_OPT(n, t)                                      \
	{                                                    \
		.name = (n), .type = &(t), .omitempty = true \
	}
#define FIELDS_END                                             \
	{                                                      \
		.name = NULL, .type = NULL, .omitempty = false \
	}

TYPE(t_bool, GO_BOOL, "bool");
TYPE(t_string, GO_STRING, "string");
TYPE(t_strslice, GO_STRSLICE, "strslice.StrSlice");
TYPE(t_network_mode, GO_STRING, "container.NetworkMode");
TYPE(t_restart_mode, GO_STRING, "container.RestartPolicyMode");
TYPE(t_cgroupns_mode, GO_STRING, "container.CgroupnsMode");
TYPE(t_ipc_mode, GO_STRING, "container.IpcMode");
TYPE(t_cgroup_spec, GO_STRING, "container.CgroupSpec");
TYPE(t_pid_mode, GO_STRING, "container.PidMode");
TYPE(t_uts_mode, GO_STRING, "container.UTSMode");
TYPE(t_userns_mode, GO_STRING, "container.UsernsMode");
TYPE(t_isolation, GO_STRING, "container.Isolation");
TYPE(t_mount_type, GO_STRING, "mount.Type");
TYPE(t_consistency, GO_STRING, "mount.Consistency");
TYPE(t_propagation, GO_STRING, "mount.Propagation");
INT_TYPE(t_int, "int", INT64_MIN, INT64_MAX);
INT_TYPE(t_int64, "int64", INT64_MIN, INT64_MAX);
INT_TYPE(t_duration, "time.Duration", INT64_MIN, INT64_MAX);
INT_TYPE(t_uint, "uint", 0, INT64_MAX);
INT_TYPE(t_uint16, "uint16", 0, UINT16_MAX);
INT_TYPE(t_uint64, "uint64", 0, -1);
INT_TYPE(t_file_mode, "fs.FileMode", 0, UINT32_MAX);
OF_TYPE(t_bool_ptr, GO_POINTER, "bool", t_bool);
OF_TYPE(t_int_ptr, GO_POINTER, "int", t_int);
OF_TYPE(t_int64_ptr, GO_POINTER, "int64", t_int64);
OF_TYPE(t_console_size, GO_ARRAY2, "[2]uint", t_uint);
const struct go_type go_string_list = {.kind = GO_SLICE, .name = "[]string", .elem = &t_string};
const struct go_type go_string_map = {
    .kind = GO_MAP, .name = "map[string]string", .elem = &t_string};
OF_TYPE(t_string_lists, GO_SLICE, "[][]string", go_string_list);
STRUCT_TYPE(t_nothing, "struct {}", NULL);
OF_TYPE(t_volume_set, GO_MAP, "map[string]struct {}", t_nothing);
OF_TYPE(t_port_set, GO_MAP, "nat.PortSet", t_nothing);

/* ---- Config -------------------------------------------------------------------------------------------------------------------------- */

static const struct go_field healthcheck_fields[] = {
    FIELD_OPT("Test", go_string_list),
    FIELD_OPT("Interval", t_duration),
    FIELD_OPT("Timeout", t_duration),
    FIELD_OPT("StartPeriod", t_duration),
    FIELD_OPT("StartInterval", t_duration),
    FIELD_OPT("Retries", t_int),
    FIELDS_END,
};
const struct go_type go_healthcheck = {
    .kind = GO_STRUCT, .name = "v1.HealthcheckConfig", .fields = healthcheck_fields};
OF_TYPE(t_healthcheck_ptr, GO_POINTER, "v1.HealthcheckConfig", go_healthcheck);

static const struct go_field config_fields[] = {
    FIELD("Hostname", t_string),
    FIELD("Domainname", t_string),
    FIELD("User", t_string),
    FIELD("AttachStdin", t_bool),
    FIELD("AttachStdout", t_bool),
    FIELD("AttachStderr", t_bool),
    FIELD_OPT("ExposedPorts", t_port_set),
    FIELD("Tty", t_bool),
    FIELD("OpenStdin", t_bool),
    FIELD("StdinOnce", t_bool),
    FIELD("Env", go_string_list),
    FIELD("Cmd", t_strslice),
    FIELD_OPT("Healthcheck", t_healthcheck_ptr),
    FIELD_OPT("ArgsEscaped", t_bool),
    FIELD("Image", t_string),
    FIELD("Volumes", t_volume_set),
    FIELD("WorkingDir", t_string),
    FIELD("Entrypoint", t_strslice),
    FIELD_OPT("NetworkDisabled", t_bool),
    FIELD_OPT("MacAddress", t_string),
    FIELD("OnBuild", go_string_list),
    FIELD("Labels", go_string_map),
    FIELD_OPT("StopSignal", t_string),
    FIELD_OPT("StopTimeout", t_int_ptr),
    FIELD_OPT("Shell", t_strslice),
    FIELDS_END,
};
const struct go_type go_config = {
    .kind = GO_STRUCT, .name = "container.CreateRequest", .fields = config_fields};

static const struct go_field exec_fields[] = {
    FIELD("User", t_string),       FIELD("Privileged", t_bool),
    FIELD("Tty", t_bool),          FIELD_OPT("ConsoleSize", t_console_size),
    FIELD("AttachStdin", t_bool),  FIELD("AttachStderr", t_bool),
    FIELD("AttachStdout", t_bool), FIELD("DetachKeys", t_string),
    FIELD("Env", go_string_list),  FIELD("WorkingDir", t_string),
    FIELD("Cmd", go_string_list),  FIELDS_END,
};
const struct go_type go_exec_options = {
    .kind = GO_STRUCT, .name = "ExecOptions", .fields = exec_fields};

/* ---- Mounts -------------------------------------------------------------------------------------------------------------------------- */

static const struct go_field bind_options_fields[] = {
    FIELD_OPT("Propagation", t_propagation),     FIELD_OPT("NonRecursive", t_bool),
    FIELD_OPT("CreateMountpoint", t_bool),       FIELD_OPT("ReadOnlyNonRecursive", t_bool),
    FIELD_OPT("ReadOnlyForceRecursive", t_bool), FIELDS_END,
};
STRUCT_TYPE(t_bind_options, "mount.BindOptions", bind_options_fields);
OF_TYPE(t_bind_options_ptr, GO_POINTER, "mount.BindOptions", t_bind_options);

static const struct go_field driver_fields[] = {FIELD_OPT("Name", t_string),
						FIELD_OPT("Options", go_string_map), FIELDS_END};
STRUCT_TYPE(t_driver, "mount.Driver", driver_fields);
OF_TYPE(t_driver_ptr, GO_POINTER, "mount.Driver", t_driver);

static const struct go_field volume_options_fields[] = {
    FIELD_OPT("NoCopy", t_bool),
    FIELD_OPT("Labels", go_string_map),
    FIELD_OPT("Subpath", t_string),
    FIELD_OPT("DriverConfig", t_driver_ptr),
    FIELDS_END,
};
STRUCT_TYPE(t_volume_options, "mount.VolumeOptions", volume_options_fields);
OF_TYPE(t_volume_options_ptr, GO_POINTER, "mount.VolumeOptions", t_volume_options);

static const struct go_field image_options_fields[] = {FIELD_OPT("Subpath", t_string), FIELDS_END};
STRUCT_TYPE(t_image_options, "mount.ImageOptions", image_options_fields);
OF_TYPE(t_image_options_ptr, GO_POINTER, "mount.ImageOptions", t_image_options);

static const struct go_field tmpfs_options_fields[] = {
    FIELD_OPT("SizeBytes", t_int64),
    FIELD_OPT("Mode", t_file_mode),
    FIELD_OPT("Options", t_string_lists),
    FIELDS_END,
};
STRUCT_TYPE(t_tmpfs_options, "mount.TmpfsOptions", tmpfs_options_fields);
OF_TYPE(t_tmpfs_options_ptr, GO_POINTER, "mount.TmpfsOptions", t_tmpfs_options);

STRUCT_TYPE(t_cluster_options, "mount.ClusterOptions", NULL);
OF_TYPE(t_cluster_options_ptr, GO_POINTER, "mount.ClusterOptions", t_cluster_options);

static const struct go_field mount_fields[] = {
    FIELD_OPT("Type", t_mount_type),
    FIELD_OPT("Source", t_string),
    FIELD_OPT("Target", t_string),
    FIELD_OPT("ReadOnly", t_bool),
    FIELD_OPT("Consistency", t_consistency),
    FIELD_OPT("BindOptions", t_bind_options_ptr),
    FIELD_OPT("VolumeOptions", t_volume_options_ptr),
    FIELD_OPT("ImageOptions", t_image_options_ptr),
    FIELD_OPT("TmpfsOptions", t_tmpfs_options_ptr),
    FIELD_OPT("ClusterOptions", t_cluster_options_ptr),
    FIELDS_END,
};
STRUCT_TYPE(t_mount, "mount.Mount", mount_fields);
OF_TYPE(t_mounts, GO_SLICE, "[]mount.Mount", t_mount);

/* ---- HostConfig ---------------------------------------------------------------------------------------------------------------------- */

static const struct go_field log_config_fields[] = {FIELD("Type", t_string),
						    FIELD("Config", go_string_map), FIELDS_END};
STRUCT_TYPE(t_log_config, "container.LogConfig", log_config_fields);

static const struct go_field port_binding_fields[] = {FIELD("HostIp", t_string),
						      FIELD("HostPort", t_string), FIELDS_END};
STRUCT_TYPE(t_port_binding, "nat.PortBinding", port_binding_fields);
OF_TYPE(t_port_bindings, GO_SLICE, "[]nat.PortBinding", t_port_binding);
OF_TYPE(t_port_map, GO_MAP, "nat.PortMap", t_port_bindings);

static const struct go_field restart_policy_fields[] = {
    FIELD("Name", t_restart_mode), FIELD("MaximumRetryCount", t_int), FIELDS_END};
STRUCT_TYPE(t_restart_policy, "container.RestartPolicy", restart_policy_fields);

static const struct go_field weight_device_fields[] = {FIELD("Path", t_string),
						       FIELD("Weight", t_uint16), FIELDS_END};
STRUCT_TYPE(t_weight_device, "blkiodev.WeightDevice", weight_device_fields);
OF_TYPE(t_weight_devices, GO_SLICE, "[]*blkiodev.WeightDevice", t_weight_device);

static const struct go_field throttle_device_fields[] = {FIELD("Path", t_string),
							 FIELD("Rate", t_uint64), FIELDS_END};
STRUCT_TYPE(t_throttle_device, "blkiodev.ThrottleDevice", throttle_device_fields);
OF_TYPE(t_throttle_devices, GO_SLICE, "[]*blkiodev.ThrottleDevice", t_throttle_device);

static const struct go_field device_mapping_fields[] = {
    FIELD("PathOnHost", t_string),
    FIELD("PathInContainer", t_string),
    FIELD("CgroupPermissions", t_string),
    FIELDS_END,
};
STRUCT_TYPE(t_device_mapping, "container.DeviceMapping", device_mapping_fields);
OF_TYPE(t_device_mappings, GO_SLICE, "[]container.DeviceMapping", t_device_mapping);

static const struct go_field device_request_fields[] = {
    FIELD("Driver", t_string),          FIELD("Count", t_int),
    FIELD("DeviceIDs", go_string_list), FIELD("Capabilities", t_string_lists),
    FIELD("Options", go_string_map),    FIELDS_END,
};
STRUCT_TYPE(t_device_request, "container.DeviceRequest", device_request_fields);
OF_TYPE(t_device_requests, GO_SLICE, "[]container.DeviceRequest", t_device_request);

static const struct go_field ulimit_fields[] = {FIELD("Name", t_string), FIELD("Hard", t_int64),
						FIELD("Soft", t_int64), FIELDS_END};
STRUCT_TYPE(t_ulimit, "units.Ulimit", ulimit_fields);
OF_TYPE(t_ulimits, GO_SLICE, "[]*units.Ulimit", t_ulimit);

static const struct go_field host_config_fields[] = {
    FIELD("Binds", go_string_list),
    FIELD("ContainerIDFile", t_string),
    FIELD("LogConfig", t_log_config),
    FIELD("NetworkMode", t_network_mode),
    FIELD("PortBindings", t_port_map),
    FIELD("RestartPolicy", t_restart_policy),
    FIELD("AutoRemove", t_bool),
    FIELD("VolumeDriver", t_string),
    FIELD("VolumesFrom", go_string_list),
    FIELD("ConsoleSize", t_console_size),
    FIELD_OPT("Annotations", go_string_map),
    FIELD("CapAdd", t_strslice),
    FIELD("CapDrop", t_strslice),
    FIELD("CgroupnsMode", t_cgroupns_mode),
    FIELD("Dns", go_string_list),
    FIELD("DnsOptions", go_string_list),
    FIELD("DnsSearch", go_string_list),
    FIELD("ExtraHosts", go_string_list),
    FIELD("GroupAdd", go_string_list),
    FIELD("IpcMode", t_ipc_mode),
    FIELD("Cgroup", t_cgroup_spec),
    FIELD("Links", go_string_list),
    FIELD("OomScoreAdj", t_int),
    FIELD("PidMode", t_pid_mode),
    FIELD("Privileged", t_bool),
    FIELD("PublishAllPorts", t_bool),
    FIELD("ReadonlyRootfs", t_bool),
    FIELD("SecurityOpt", go_string_list),
    FIELD_OPT("StorageOpt", go_string_map),
    FIELD_OPT("Tmpfs", go_string_map),
    FIELD("UTSMode", t_uts_mode),
    FIELD("UsernsMode", t_userns_mode),
    FIELD("ShmSize", t_int64),
    FIELD_OPT("Sysctls", go_string_map),
    FIELD_OPT("Runtime", t_string),
    FIELD("Isolation", t_isolation),
    FIELD("CpuShares", t_int64),
    FIELD("Memory", t_int64),
    FIELD("NanoCpus", t_int64),
    FIELD("CgroupParent", t_string),
    FIELD("BlkioWeight", t_uint16),
    FIELD("BlkioWeightDevice", t_weight_devices),
    FIELD("BlkioDeviceReadBps", t_throttle_devices),
    FIELD("BlkioDeviceWriteBps", t_throttle_devices),
    FIELD("BlkioDeviceReadIOps", t_throttle_devices),
    FIELD("BlkioDeviceWriteIOps", t_throttle_devices),
    FIELD("CpuPeriod", t_int64),
    FIELD("CpuQuota", t_int64),
    FIELD("CpuRealtimePeriod", t_int64),
    FIELD("CpuRealtimeRuntime", t_int64),
    FIELD("CpusetCpus", t_string),
    FIELD("CpusetMems", t_string),
    FIELD("Devices", t_device_mappings),
    FIELD("DeviceCgroupRules", go_string_list),
    FIELD("DeviceRequests", t_device_requests),
    FIELD_OPT("KernelMemory", t_int64),
    FIELD_OPT("KernelMemoryTCP", t_int64),
    FIELD("MemoryReservation", t_int64),
    FIELD("MemorySwap", t_int64),
    FIELD("MemorySwappiness", t_int64_ptr),
    FIELD("OomKillDisable", t_bool_ptr),
    FIELD("PidsLimit", t_int64_ptr),
    FIELD("Ulimits", t_ulimits),
    FIELD("CpuCount", t_int64),
    FIELD("CpuPercent", t_int64),
    FIELD("IOMaximumIOps", t_uint64),
    FIELD("IOMaximumBandwidth", t_uint64),
    FIELD_OPT("Mounts", t_mounts),
    FIELD("MaskedPaths", go_string_list),
    FIELD("ReadonlyPaths", go_string_list),
    FIELD_OPT("Init", t_bool_ptr),
    FIELDS_END,
};
const struct go_type go_host_config = {
    .kind = GO_STRUCT, .name = "container.HostConfig", .fields = host_config_fields};

/* ---- EndpointSettings ---------------------------------------------------------------------------------------------------------------- */

static const struct go_field ipam_config_fields[] = {
    FIELD_OPT("IPv4Address", t_string),
    FIELD_OPT("IPv6Address", t_string),
    FIELD_OPT("LinkLocalIPs", go_string_list),
    FIELDS_END,
};
STRUCT_TYPE(t_ipam_config, "network.EndpointIPAMConfig", ipam_config_fields);
OF_TYPE(t_ipam_config_ptr, GO_POINTER, "network.EndpointIPAMConfig", t_ipam_config);

static const struct go_field endpoint_fields[] = {
    FIELD("IPAMConfig", t_ipam_config_ptr),
    FIELD("Links", go_string_list),
    FIELD("Aliases", go_string_list),
    FIELD("MacAddress", t_string),
    FIELD("DriverOpts", go_string_map),
    FIELD("GwPriority", t_int),
    FIELD("NetworkID", t_string),
    FIELD("EndpointID", t_string),
    FIELD("Gateway", t_string),
    FIELD("IPAddress", t_string),
    FIELD("IPPrefixLen", t_int),
    FIELD("IPv6Gateway", t_string),
    FIELD("GlobalIPv6Address", t_string),
    FIELD("GlobalIPv6PrefixLen", t_int),
    FIELD("DNSNames", go_string_list),
    FIELDS_END,
};
const struct go_type go_endpoint = {
    .kind = GO_STRUCT, .name = "network.EndpointSettings", .fields = endpoint_fields};

/* ---- The faces ----------------------------------------------------------------------------------------------------------------------- */

int spec_normalise_config(const json *in, struct str *out, struct error *err)
{
	return schema_print(&go_config, in, NULL, "", out, err);
}

int spec_normalise_host_config(const json *in, struct str *out, struct error *err)
{
	return schema_print(&go_host_config, in, NULL, ".HostConfig", out, err);
}

int spec_normalise_endpoint(const json *in, struct str *out, struct error *err)
{
	return schema_print(&go_endpoint, in, NULL, ".EndpointSettings", out, err);
}

int spec_normalise_exec(const json *in, struct str *out, struct error *err)
{
	return schema_print(&go_exec_options, in, NULL, "ExecOptions", out, err);
}
