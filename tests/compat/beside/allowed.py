# SPDX-License-Identifier: Apache-2.0
"""Differences by choice: ("scenario | step" to search in, member path), as regular expressions, and the reason."""
import re

LIST = [
    # where, path, reason
    (r"^create, odd: (port|port protocol|host ip|log size) ", r".*", "refused when the container is made, by the rules by which moby refuses or ignores it at the start"),
    (r"^create, odd: device ", r".*", "a device mode that the kernel does not have is refused, not ignored"),
    (r"^create, odd: ip on default bridge ", r"body\.message", "moby complains of the subnet, too, unless docker0 was there before it started"),
    (r"^create: volume mount with options ", r"body\.HostConfig\.Mounts\.0\.VolumeOptions\.Labels members", "the label is on the volume; HostConfig stays what the client sent"),
    (r"^archive put: through a link ", r".*", "a link of the archive leads from the container's root, as for its programs; moby follows it from the directory that is written to"),
    (r"^docker run (--platform linux/s390x|nope-not-here) ", r"err", "the resolver's words on a machine without network"),
    (r"^system: auth, build, session \| (POST /auth|GET /images/search)", r"body\.message|status", "the resolver's words on a machine without network; malformed JSON is the client's fault, here too"),
    (r"^(docker top|life: top)", r".*", "moby asks the host's ps, which the peer's machine lacks; ours reads /proc"),
    (r"^image tag: repo= ", r".*", "an empty name is refused, not ignored"),
    (r"^image load and import: odd input \| POST /images/create$", r"status|body\.message", "refused for the missing name, not for the URL that is made of it"),
    (r"^image inspect and history ", r"body\.Metadata\.LastTagTime", "the time of a tag is kept for loaded images, too"),
    (r"^(image inspect and history|version .*: reading) ", r"body\.Config\.Healthcheck order", "an image's configuration is shown in its own order"),
    (r"^life: working directories ", r"err", "moby shows the path of the layer on the host"),
    (r"^system: body .*\"image\"", r".*", "of two spellings of one member the exact one counts, in Go the last"),
    (r"^attach: what is not there .*attach/ws", r"type", "the type of the words with which an upgrade is refused"),
    (r"^plugins: .* \| POST /volumes/create", r"body\.CreatedAt", "moby shows what it heard of a volume before, ours what the plugin has just said"),
    (r"^version .*/stats", r".*", "moby has no numbers of a container that was just started; ours asks the kernel"),
    (r"^version .*platform", r".*", "an image has one platform here: which one is meant is not looked at"),
    (r"^version .*/session", r".*", "BuildKit is not there, and the answer says so"),
    (r"^system: info ", r"values: OperatingSystem|OperatingSystem", "the peer runs on another system's files"),
]


def differs(scenario, label, path, ours, theirs):
    return any(re.search(s, f"{scenario} | {label}") and re.fullmatch(p, path) for s, p, _ in LIST)
