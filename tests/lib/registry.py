# SPDX-License-Identifier: Apache-2.0
"""Servers for the tests of registries. Each prints "ready" and writes a line per request into DIR/log: METHOD PATH AUTHORIZATION.

  registry.py tokens PORT DIR    token server for user u, password p; signs with DIR/key.pem, whose certificate is DIR/cert.pem
  registry.py hostile PORT DIR   a registry whose repositories each misbehave in their own way
  registry.py elsewhere PORT DIR another host: where redirects of the hostile one lead
  registry.py image DIR          writes the image that the hostile one serves as a docker archive
  registry.py index PORT DIR     a search index (/v1/search)
  registry.py proxy PORT DIR     an HTTP proxy
"""
import base64, gzip, hashlib, http.client, http.server, io, json, os, ssl, subprocess, sys, tarfile, threading, time, urllib.parse

MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
LIST = 'application/vnd.docker.distribution.manifest.list.v2+json'
OCI = 'application/vnd.oci.image.manifest.v1+json'
INDEX = 'application/vnd.oci.image.index.v1+json'


def digest(b):
    return 'sha256:' + hashlib.sha256(b).hexdigest()


def b64(b):
    return base64.urlsafe_b64encode(b).rstrip(b'=').decode()


class Handler(http.server.BaseHTTPRequestHandler):
    disable_nagle_algorithm = True
    protocol_version = 'HTTP/1.1'
    lock = threading.Lock()

    def log_message(self, *a):
        pass

    def note(self):
        with self.lock, open(os.path.join(self.server.dir, 'log'), 'a') as f:
            f.write('%s %s %s\n' % (self.command, self.path, self.headers.get('Authorization', '-')))

    def reply(self, status, body=b'', kind='application/json', **headers):
        self.send_response(status)
        self.send_header('Content-Type', kind)
        for k, v in headers.items():
            self.send_header(k.replace('_', '-'), v)
        if 'Content_Length' not in headers:
            self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    def do_GET(self):
        self.note()
        self.answer()

    do_HEAD = do_POST = do_GET


# ---- tokens --------------------------------------------------------------------------------------------------------------------------

class Tokens(Handler):
    def answer(self):
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get('Content-Length', 0))).decode()
        q = urllib.parse.parse_qs(url.query or body)
        basic = 'Basic ' + base64.b64encode(b'u:p').decode()
        known = self.headers.get('Authorization') == basic or q.get('refresh_token') == ['keepme']
        if not known and 'Authorization' in self.headers:
            return self.reply(401, b'{"details":"incorrect username or password"}')
        access = []
        for s in ' '.join(q.get('scope', [])).split():
            kind, name, actions = s.split(':')
            allowed = actions.split(',') if known else ['pull'] if name.startswith('open/') else []
            access.append({'type': kind, 'name': name, 'actions': allowed})
        now = int(time.time())
        cert = subprocess.run(['openssl', 'x509', '-in', self.server.dir + '/cert.pem', '-outform', 'DER'],
                              capture_output=True, check=True).stdout
        head = {'typ': 'JWT', 'alg': 'RS256', 'x5c': [base64.b64encode(cert).decode()]}
        claims = {'iss': 'tests', 'sub': 'u' if known else '', 'aud': q.get('service', [''])[0], 'exp': now + 300,
                  'nbf': now - 10, 'iat': now, 'jti': str(now), 'access': access}
        text = b64(json.dumps(head).encode()) + '.' + b64(json.dumps(claims).encode())
        sig = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', self.server.dir + '/key.pem'], input=text.encode(),
                             capture_output=True, check=True).stdout
        out = {'token': text + '.' + b64(sig), 'expires_in': 300}
        if q.get('offline_token') == ['true']:
            out['refresh_token'] = 'keepme'
        self.reply(200, json.dumps(out).encode())


# ---- the hostile registry ------------------------------------------------------------------------------------------------------------

def layer(name, size=3000):
    b = io.BytesIO()
    t = tarfile.open(fileobj=b, mode='w', format=tarfile.PAX_FORMAT)
    data = hashlib.sha256(name.encode()).digest() * (size // 32)
    i = tarfile.TarInfo(name)
    i.size = len(data)
    t.addfile(i, io.BytesIO(data))
    t.close()
    return b.getvalue()


class Image:
    def __init__(self, names, size=3000, arch='amd64'):
        self.tars = [layer(n, size) for n in names]
        self.layers = [gzip.compress(t, 1, mtime=0) for t in self.tars]
        self.config = json.dumps({'architecture': arch, 'os': 'linux', 'config': {'Cmd': ['/x']},
                                  'rootfs': {'type': 'layers', 'diff_ids': [digest(t) for t in self.tars]},
                                  'history': [{'created_by': n} for n in names]}).encode()
        self.blobs = {digest(b): b for b in self.layers + [self.config]}

    def manifest(self, **change):
        m = {'schemaVersion': 2, 'mediaType': MANIFEST,
             'config': {'mediaType': 'application/vnd.docker.container.image.v1+json', 'size': len(self.config),
                        'digest': digest(self.config)},
             'layers': [{'mediaType': 'application/vnd.docker.image.rootfs.diff.tar.gzip', 'size': len(b),
                         'digest': digest(b)} for b in self.layers]}
        m.update(change)
        return json.dumps(m).encode()


class Hostile(Handler):
    good = Image(['one', 'two'])
    big = Image(['big'], 4 << 20)
    shared = Image(['shared'], 2 << 20)
    cuts = {}
    gate = threading.Event()
    gone = threading.Event()

    def refuse(self):
        self.close_connection = True

    def answer(self):
        path = urllib.parse.urlsplit(self.path).path
        if path == '/open-the-gate':
            self.gate.set()
            return self.reply(200)
        if path == '/wait-for-the-end':
            return self.reply(200 if self.gone.wait(60) else 504)
        if path == '/v2/':
            return self.reply(200, b'{}')
        parts = path.split('/')
        repo, what, name = '/'.join(parts[2:-2]), parts[-2], parts[-1]
        behave = getattr(self, repo.replace('-', '_'), None)
        if not behave:
            return self.reply(404, b'{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}')
        behave(what, name)

    def serve(self, image, what, name, manifest=None, kind=MANIFEST):
        if what == 'manifests':
            m = manifest or image.manifest()
            return self.reply(200, m, kind, Docker_Content_Digest=digest(m))
        if what == 'blobs' and name in image.blobs:
            return self.reply(200, image.blobs[name], 'application/octet-stream')
        self.reply(404, b'{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}')

    def good_one(self, what, name):
        self.serve(self.good, what, name)

    def wrong_layer(self, what, name):
        if name == digest(self.good.layers[1]):
            b = bytearray(self.good.layers[1])
            b[-9] ^= 1
            return self.reply(200, bytes(b), 'application/octet-stream')
        self.serve(self.good, what, name)

    def wrong_config(self, what, name):
        if name == digest(self.good.config):
            return self.reply(200, self.good.config.replace(b'linux', b'Linux'))
        self.serve(self.good, what, name)

    def wrong_manifest(self, what, name):
        m = self.good.manifest()
        if what == 'manifests' and self.command == 'GET':
            return self.reply(200, m + b' ', MANIFEST, Docker_Content_Digest=digest(m))
        self.serve(self.good, what, name)

    def wrong_diff(self, what, name):  # the configuration promises other content
        i = Image(['one', 'two'])
        i.config = i.config.replace(digest(i.tars[1])[7:].encode(), digest(b'')[7:].encode())
        i.blobs[digest(i.config)] = i.config
        self.serve(i, what, name)

    def long_layer(self, what, name):
        if name == digest(self.good.layers[0]):
            return self.reply(200, self.good.layers[0] + b'x' * 100000, 'application/octet-stream')
        self.serve(self.good, what, name)

    def endless_manifest(self, what, name):
        if what == 'manifests' and self.command == 'GET':
            self.send_response(200)
            self.send_header('Content-Type', MANIFEST)
            self.send_header('Connection', 'close')
            self.end_headers()
            self.close_connection = True
            try:
                while True:
                    self.wfile.write(b' ' * 65536)
            except OSError:
                return
        self.reply(200, b'', MANIFEST)

    def endless_tags(self, what, name):  # each page leads to another
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        body = json.dumps({'tags': ['t%s' % i for i in range(1000)]}).encode()
        self.send_header('Link', '</v2/endless-tags/tags/list?last=x>; rel="next"')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def empty_pages(self, what, name):
        self.reply(200, b'{"tags":[]}', Link='</v2/empty-pages/tags/list?last=x>; rel="next"')

    def long_tag(self, what, name):
        self.reply(200, json.dumps({'tags': ['t' * 1000000]}).encode())

    def endless_headers(self, what, name):
        self.close_connection = True
        try:
            self.wfile.write(b'HTTP/1.1 200 OK\r\n')
            while True:
                self.wfile.write(b'X-More: ' + b'y' * 1000 + b'\r\n')
        except OSError:
            pass

    def huge_claim(self, what, name):  # a layer of 16 EiB, a configuration of 1 TiB
        m = json.loads(self.good.manifest())
        m['config']['size'] = 1 << 40
        self.serve(self.good, what, name, json.dumps(m).encode())

    def negative(self, what, name):
        m = json.loads(self.good.manifest())
        m['layers'][0]['size'] = -5
        self.serve(self.good, what, name, json.dumps(m).encode())

    def both(self, what, name):
        self.serve(self.good, what, name, self.good.manifest(manifests=[]))

    def fewer(self, what, name):
        m = json.loads(self.good.manifest())
        m['layers'] = m['layers'][:1]
        self.serve(self.good, what, name, json.dumps(m).encode())

    def strange_layer(self, what, name):
        m = json.loads(self.good.manifest())
        m['layers'][0]['mediaType'] = 'application/x-executable'
        self.serve(self.good, what, name, json.dumps(m).encode())

    def traversal(self, what, name):
        m = json.loads(self.good.manifest())
        m['layers'][0]['digest'] = 'sha256:../../../../etc/passwd'
        self.serve(self.good, what, name, json.dumps(m).encode())

    def list_of_itself(self, what, name):
        one = {'mediaType': LIST, 'size': 1, 'digest': digest(b'x'), 'platform': {'os': 'linux', 'architecture': 'amd64'}}
        self.serve(self.good, what, name, json.dumps({'schemaVersion': 2, 'mediaType': LIST, 'manifests': [one]}).encode(),
                   LIST)

    def oci(self, what, name):
        m = json.loads(self.good.manifest(mediaType=OCI))
        m['config']['mediaType'] = 'application/vnd.oci.image.config.v1+json'
        m['layers'][0]['mediaType'] = 'application/vnd.oci.image.layer.v1.tar'
        m['layers'][0].update(digest=digest(self.good.tars[0]), size=len(self.good.tars[0]))
        m['layers'][1]['mediaType'] = 'application/vnd.oci.image.layer.v1.tar+gzip'
        m = json.dumps(m).encode()
        if name == digest(self.good.tars[0]):
            return self.reply(200, self.good.tars[0], 'application/octet-stream')
        if what == 'manifests' and name != digest(m):
            entries = [{'mediaType': OCI, 'size': len(m), 'digest': digest(m if a == 'amd64' else b''),
                        'platform': {'os': 'linux', 'architecture': a}} for a in ('s390x', '386', 'amd64')]
            i = json.dumps({'schemaVersion': 2, 'mediaType': INDEX, 'manifests': entries}).encode()
            return self.serve(self.good, what, name, i, INDEX)
        self.serve(self.good, what, name, m, OCI)

    def foreign(self, what, name):  # the registry has not what another host distributes
        away = digest(self.good.layers[0])
        m = json.loads(self.good.manifest())
        m['layers'][0].update(mediaType='application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
                              urls=['http://127.0.0.1:5011/nosuch', 'http://127.0.0.1:5011/' + away])
        if name == away:
            return self.reply(404, b'{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}')
        self.serve(self.good, what, name, json.dumps(m).encode())

    def foreign_lie(self, what, name):  # nor is it there what the manifest says
        m = json.loads(self.good.manifest())
        m['layers'][0].update(mediaType='application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
                              urls=['http://127.0.0.1:5011/' + digest(self.good.layers[1])], size=len(self.good.layers[1]))
        if name == digest(self.good.layers[0]):
            return self.reply(404)
        self.serve(self.good, what, name, json.dumps(m).encode())

    def schema1(self, what, name):
        kind = 'application/vnd.docker.distribution.manifest.v1+prettyjws'
        v1 = [{'id': 'b', 'parent': 'a', 'created': '2020-01-01T00:00:00Z', 'os': 'linux', 'architecture': 'amd64',
               'config': {'Cmd': ['/old']}, 'container_config': {'Cmd': ['newest']}},
              {'id': 'a', 'created': '2019-01-01T00:00:00Z', 'container_config': {'Cmd': ['oldest']}}]
        m = json.dumps({'schemaVersion': 1, 'name': 'schema1', 'tag': 't',
                        'fsLayers': [{'blobSum': digest(b)} for b in reversed(self.good.layers)],
                        'history': [{'v1Compatibility': json.dumps(v)} for v in v1]}).encode()
        head = b64(json.dumps({'formatLength': len(m) - 1, 'formatTail': b64(b'}')}).encode())
        signed = m[:-1] + b',"signatures":[{"protected":"%s"}]}' % head.encode()
        if what == 'manifests':
            return self.reply(200, signed, kind, Docker_Content_Digest=digest(m))
        self.serve(self.good, what, name)

    def two_faced(self, what, name):  # its "signed part" is the honest manifest, the document that carries it is another
        evil = {'schemaVersion': 1, 'fsLayers': [{'blobSum': digest(self.big.layers[0])}],
                'history': [{'v1Compatibility': json.dumps({'id': 'a', 'config': {'Cmd': ['/EVIL']}})}]}
        head = b64(json.dumps({'formatLength': 0, 'formatTail': b64(self.good.manifest())}).encode())
        evil['signatures'] = [{'protected': head}]
        if what == 'manifests':
            return self.reply(200, json.dumps(evil).encode(), 'application/vnd.docker.distribution.manifest.v1+prettyjws',
                              Docker_Content_Digest=digest(self.good.manifest()))
        self.serve(self.big if name in self.big.blobs else self.good, what, name)

    def throwaway(self, what, name):  # rows that hold nothing before one that is damaged
        empty = json.dumps({'id': 'a', 'throwaway': True})
        m = json.dumps({'schemaVersion': 1, 'fsLayers': [{'blobSum': digest(b'')}] * 3,
                        'history': [{'v1Compatibility': v} for v in ('{bad', empty, empty)]}).encode()
        if what == 'manifests':
            return self.reply(200, m, 'application/vnd.docker.distribution.manifest.v1+json', Docker_Content_Digest=digest(m))
        self.serve(self.good, what, name)

    # -- blobs that come with trouble --

    def ranged(self, image, name, ranges):
        b = image.blobs[name]
        n = self.cuts[self.path] = self.cuts.get(self.path, 0) + 1
        start = 0
        r = self.headers.get('Range')
        if r and ranges:
            start = int(r.split('=')[1].split('-')[0])
        if n <= 2:  # cut off in the middle
            end = start + (len(b) - start) // 2
            self.send_response(206 if start else 200)
            if start:
                self.send_header('Content-Range', 'bytes %d-%d/%d' % (start, len(b) - 1, len(b)))
            self.send_header('Content-Length', str(len(b) - start))
            self.end_headers()
            self.wfile.write(b[start:end])
            return self.refuse()
        head = {'Content_Range': 'bytes %d-%d/%d' % (start, len(b) - 1, len(b))} if start else {}
        self.reply(206 if start else 200, b[start:], 'application/octet-stream', **head)

    def cut(self, what, name):
        if name == digest(self.big.layers[0]):
            return self.ranged(self.big, name, True)
        self.serve(self.big, what, name)

    def cut_without_ranges(self, what, name):
        if name == digest(self.big.layers[0]):
            return self.ranged(self.big, name, False)
        self.serve(self.big, what, name)

    def redirected(self, what, name):
        if what == 'blobs':
            return self.reply(307, Location='http://127.0.0.1:%d/%s' % (self.server.server_port + 1, name))
        self.serve(self.good, what, name)

    def round_and_round(self, what, name):
        self.reply(307, Location=self.path)

    def gated(self, what, name):  # half of the layer, then nothing until the gate opens
        if name == digest(self.shared.layers[0]):
            b = self.shared.blobs[name]
            self.send_response(200)
            self.send_header('Content-Length', str(len(b)))
            self.end_headers()
            self.wfile.write(b[:len(b) // 2])
            self.wfile.flush()
            self.gate.wait()
            self.wfile.write(b[len(b) // 2:])
            return
        self.serve(self.shared, what, name)

    def abandoned(self, what, name):  # half of the layer; then says when whoever wanted it has gone
        if name == digest(self.big.layers[0]):
            b = self.big.blobs[name]
            self.send_response(200)
            self.send_header('Content-Length', str(len(b)))
            self.end_headers()
            self.wfile.write(b[:len(b) // 2])
            self.wfile.flush()
            self.rfile.read(1)
            self.gone.set()
            return self.refuse()
        self.serve(self.big, what, name)

    def locked(self, what, name):
        if not self.headers.get('Authorization'):
            return self.reply(401, b'{}', WWW_Authenticate='Basic realm="x"')
        self.redirected(what, name)

    def asked_elsewhere(self, what, name):  # its blobs lie where a password is asked for
        if not self.headers.get('Authorization'):
            return self.reply(401, b'{}', WWW_Authenticate='Basic realm="x"')
        if what == 'blobs':
            return self.reply(307, Location='http://127.0.0.1:5011/ask')
        self.serve(self.good, what, name)

    def confused(self, what, name):  # whose URL is it?
        if not self.headers.get('Authorization'):
            return self.reply(401, b'{}', WWW_Authenticate='Basic realm="x"')
        if what == 'blobs':
            return self.reply(307, Location='http://127.0.0.1:5010\\@127.0.0.1:5011/x')
        self.serve(self.good, what, name)


class Elsewhere(Handler):
    def answer(self):
        if self.path == '/ask':
            return self.reply(401, b'{}', WWW_Authenticate='Bearer realm="http://127.0.0.1:5011/token"')
        if self.path == '/archive.tar':
            return self.reply(200, Hostile.good.tars[0], 'application/x-tar')
        if self.path == '/moved':
            return self.reply(302, Location='/archive.tar')
        if self.path == '/cut.tar':
            self.close_connection = True
            return self.reply(200, Hostile.good.tars[0], Content_Length=str(len(Hostile.good.tars[0]) + 1))
        b = Hostile.good.blobs.get(self.path[1:])
        self.reply(200 if b else 404, b or b'', 'application/octet-stream')


class Proxy(Handler):  # plain HTTP only
    def answer(self):
        url = urllib.parse.urlsplit(self.path)
        if not url.netloc:
            return self.reply(400)
        c = http.client.HTTPConnection(url.netloc)
        c.request(self.command, url.path + ('?' + url.query if url.query else ''),
                  headers={k: v for k, v in self.headers.items() if k.lower() not in ('host', 'proxy-connection')})
        r = c.getresponse()
        body = r.read()
        self.send_response(r.status)
        for k, v in r.getheaders():
            if k.lower() not in ('transfer-encoding', 'connection'):
                self.send_header(k, v)
        if not r.getheader('Content-Length'):
            self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)


class Index(Handler):
    def answer(self):
        q = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        rows = [{'name': 'first', 'description': 'a <b>', 'star_count': 12, 'is_official': True, 'is_automated': False},
                {'name': 'me/second', 'description': '', 'star_count': 1, 'is_official': False, 'is_automated': False}]
        self.reply(200, json.dumps({'num_results': 2, 'query': q['q'][0], 'results': rows[:int(q['n'][0])]}).encode())


def main():
    mode = sys.argv[1]
    if mode == 'image':
        i, out = Hostile.good, tarfile.open(os.path.join(sys.argv[2], 'image.tar'), 'w')
        files = [('c.json', i.config)] + [('%d.tar' % n, t) for n, t in enumerate(i.tars)]
        files.append(('manifest.json', json.dumps([{'Config': 'c.json', 'RepoTags': ['hostile:good'],
                                                    'Layers': ['0.tar', '1.tar']}]).encode()))
        for name, data in files:
            t = tarfile.TarInfo(name)
            t.size = len(data)
            out.addfile(t, io.BytesIO(data))
        return out.close()
    kinds = {'tokens': Tokens, 'hostile': Hostile, 'elsewhere': Elsewhere, 'index': Index, 'proxy': Proxy}
    http.server.ThreadingHTTPServer.daemon_threads = True
    server = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[2])), kinds[mode])
    server.dir = sys.argv[3]
    os.makedirs(server.dir, exist_ok=True)
    open(os.path.join(server.dir, 'log'), 'a').close()
    if os.path.exists(server.dir + '/tls.pem'):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.dir + '/tls.pem')
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print('ready', flush=True)
    server.serve_forever()


main()
