# SPDX-License-Identifier: Apache-2.0
"""image.py FILE NAME MB LAYERS SEED: a docker archive with an image of that size and no content that another seed has; about as compressible as
programs are, half of its bytes in files of more than 500 KB."""
import hashlib, io, json, os, random, sys, tarfile

path, name, mb, count, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
random.seed(seed)
words = [random.randbytes(random.randint(3, 12)) for _ in range(3000)]
pool = [b''.join(random.choices(words, k=random.choice([30, 300, 3000, 30000, 200000]))) for _ in range(100)]


class Hashed:
    def __init__(self, f):
        self.f, self.sum = f, hashlib.sha256()

    def write(self, b):
        self.sum.update(b)
        return self.f.write(b)


def add(out, name, size, f):
    i = tarfile.TarInfo(name)
    i.size = size
    out.addfile(i, f)


diffs = []
with tarfile.open(path, 'w') as out:
    for n in range(count):
        with open(path + '.layer', 'wb') as f:
            to = Hashed(f)
            t, size, k = tarfile.open(fileobj=to, mode='w|', format=tarfile.GNU_FORMAT), 0, 0
            while size < (mb << 20) // count:
                data = random.choice(pool)[random.randint(0, 20):] + str(k).encode()
                add(t, 'd%d/%d/f%d' % (n, k % 50, k), len(data), io.BytesIO(data))
                size, k = size + len(data), k + 1
            t.close()
        diffs.append('sha256:' + to.sum.hexdigest())
        with open(path + '.layer', 'rb') as f:
            add(out, '%d.tar' % n, os.path.getsize(f.name), f)
        os.unlink(path + '.layer')
    config = json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': {}, 'rootfs': {'type': 'layers', 'diff_ids': diffs}}).encode()
    manifest = json.dumps([{'Config': 'c.json', 'RepoTags': [name], 'Layers': ['%d.tar' % n for n in range(count)]}]).encode()
    add(out, 'c.json', len(config), io.BytesIO(config))
    add(out, 'manifest.json', len(manifest), io.BytesIO(manifest))
