#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an attacker sends, by group: tests/api/attacks.py GROUP...

Each of the bytes of a group is sent by TCP and by the unix socket, or as CRECHE_VIA says; alone, as the second request of a connection,
in one segment with a good request before it, and byte by byte. The answer must be the problem document that is
expected here, and the connection be closed where the bytes leave no other way. Prints what is not so.
"""

import json
import os
import sys
from urllib.parse import quote

from raw import VIAS, Broken, Client, head, host, post, scheme

CLOSE, STAY, EITHER = 'close', 'stay', 'either'
BYTE_BY_BYTE_MAX = 1500
GOOD = b'GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n'
JSON = b'{"argv": ["true"]}'
SMUGGLED = b'POST /v1/processes HTTP/1.1\r\nContent-Type: application/json\r\n'


def line(first, *headers):
    return head(first, *headers)


def header(text):
    """A good request with a piece of a head that may be bad."""
    return head().replace(b'\r\n\r\n', b'\r\n' + text + b'\r\n\r\n')


def chunked(body, *headers):
    return post(body, 'Transfer-Encoding: chunked', *headers)


def sized(length, body=JSON, *headers):
    return post(body, f'Content-Length: {length}', *headers)


def other_scheme():
    return {'http': 'https', 'https': 'http'}[scheme()]


TLS_HELLO = bytes.fromhex('160301020001000001fc0303') + bytes(range(256)) * 2
LONG = 'x' * 20000

# Status or statuses, what becomes of the connection, the bytes.
GROUPS = {
    'first_line': lambda: [
        (400, CLOSE, b'GET\r\n\r\n'),
        (400, CLOSE, b'GET /healthz\r\n\r\n'),
        (400, CLOSE, b'GET  /healthz HTTP/1.1\r\n\r\n'),
        (400, CLOSE, b' GET /healthz HTTP/1.1\r\n\r\n'),
        (400, CLOSE, b'GET\t/healthz\tHTTP/1.1\r\n\r\n'),
        (400, CLOSE, line('GET /healthz  HTTP/1.1')),
        (400, CLOSE, line('GET /health z HTTP/1.1')),
        (400, CLOSE, line('GET /healthz HTTP/1.1 ')),
        (400, CLOSE, line('GET /healthz HTTP/1')),
        (400, CLOSE, line('GET /healthz HTTP/1.1.1')),
        (400, CLOSE, line('GET /healthz HTTP/11')),
        (400, CLOSE, line('GET /healthz http/1.1')),
        (400, CLOSE, line('GET /healthz HTTPS/1.1')),
        (400, CLOSE, line('GET /healthz HTTP/x.y')),
        (400, CLOSE, line('GET /healthz ICY/1.1')),
        (400, CLOSE, line('HTTP/1.1 200 OK')),
        (400, CLOSE, line('G\u00c9T /healthz HTTP/1.1')),
        (400, CLOSE, line('G(T /healthz HTTP/1.1')),
        (400, CLOSE, line('"GET" /healthz HTTP/1.1')),
        (400, CLOSE, line(f"{'X' * 100} /healthz HTTP/1.1")),
        (400, CLOSE, line('GET /\u00e9 HTTP/1.1')),
        (400, CLOSE, line('GET /\x7f HTTP/1.1')),
        (400, CLOSE, line('GET /\x01 HTTP/1.1')),
        (400, STAY, line('GET /healthz#x HTTP/1.1')),
        (400, CLOSE, b'\r\n\r\n \r\n\r\n'),
        (400, CLOSE, b'\r\n' * 500000),
        (505, CLOSE, line('GET /healthz HTTP/1.2')),
        (505, CLOSE, line('GET /healthz HTTP/1.9')),
        (505, CLOSE, line('GET /healthz HTTP/2.0')),
        (505, CLOSE, line('GET /healthz HTTP/0.9')),
        (505, CLOSE, line('GET /healthz HTTP/3.1')),
        (414, CLOSE, line(f'GET /{LONG} HTTP/1.1')),
        (414, CLOSE, line(f"GET /{'x' * 8192} HTTP/1.1")),
        (414, CLOSE, b'GET /' + b'x' * 1000000),
    ],
    'other_protocols': lambda: [
        (505, CLOSE, b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + bytes(9)),
        (400, CLOSE, TLS_HELLO),
        (400, CLOSE, b'SSH-2.0-OpenSSH_9.2\r\n'),
        (400, CLOSE, b'EHLO example.com\r\n'),
        (400, CLOSE, b'*1\r\n$4\r\nPING\r\n'),
        (400, CLOSE, b'\x00' * 64),
        (400, CLOSE, b'\xff' * 64 + b'\r\n'),
        (400, CLOSE, b'PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n' + head()),
        (400, CLOSE, b'\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a' + head()),
        (505, CLOSE, b'GET /healthz RTSP/1.0\r\n\r\n'.replace(b'RTSP/1.0', b'HTTP/2.0')),
    ],
    'methods': lambda: [
        (405, STAY, line('TRACE /v1/info HTTP/1.1')),
        (405, STAY, line('OPTIONS /v1/processes HTTP/1.1')),
        (405, STAY, line('CONNECT /v1/processes HTTP/1.1')),
        (405, STAY, line('get /v1/info HTTP/1.1')),
        (405, STAY, line('BREW /v1/processes HTTP/1.1')),
        (405, STAY, line('PROPFIND /v1/processes HTTP/1.1')),
        (405, STAY, line("!#$%&'*+-.^_`|~ /v1/processes HTTP/1.1")),
        (400, STAY, line('OPTIONS * HTTP/1.1')),
        (400, STAY, line(f'CONNECT {host()} HTTP/1.1')),
        (400, STAY, line('GET * HTTP/1.1')),
        (404, STAY, line('TRACE / HTTP/1.1', 'Max-Forwards: 0')),
        (405, STAY, line('POST /v1/info HTTP/1.1', 'X-HTTP-Method-Override: GET', 'Content-Length: 0')),
    ],
    'targets': lambda: [
        (400, STAY, line('GET v1/info HTTP/1.1')),
        (400, STAY, line('GET ?x HTTP/1.1')),
        (400, STAY, line('GET \\v1\\info HTTP/1.1')),
        (400, STAY, line('GET ftp://localhost/v1/info HTTP/1.1')),
        (400, STAY, line(f'GET {scheme()}:///v1/info HTTP/1.1')),
        (400, STAY, line(f'GET {other_scheme()}://{host()}/v1/info HTTP/1.1')),
        (400, STAY, line(f'GET {scheme()}://user@{host()}/v1/info HTTP/1.1')),
        (400, STAY, line('GET /v1/processes/%00 HTTP/1.1')),
        (400, STAY, line('GET /v1/%zz HTTP/1.1')),
        (400, STAY, line('GET /v1/%1 HTTP/1.1')),
        (400, STAY, line('GET /v1/processes/1%2f..%2f2 HTTP/1.1')),
        (400, STAY, line('GET /v1/processes/1%5c..%5c2 HTTP/1.1')),
        (404, STAY, line('GET /v1/processes/../info HTTP/1.1')),
        (404, STAY, line('GET /v1/processes/%2e%2e/info HTTP/1.1')),
        (404, STAY, line('GET /v1/processes/1/logs/../../../../etc/passwd HTTP/1.1')),
        (404, STAY, line('GET /v1/./info HTTP/1.1')),
        (404, STAY, line('GET //v1/info HTTP/1.1')),
        (404, STAY, line('GET /v1/info; HTTP/1.1')),
        (404, STAY, line('GET /v1/info/ HTTP/1.1')),
        (404, STAY, line(f"GET /{'a/' * 4000} HTTP/1.1")),
        (400, STAY, line(f"GET /v1/processes?{'a&' * 4000} HTTP/1.1")),
        (400, STAY, line(f"GET /v1/processes?{'a=1&' * 2000} HTTP/1.1")),
    ],
    'headers': lambda: [
        (400, CLOSE, header(b'X : y')),
        (400, CLOSE, header(b'Content-Length : 5')),
        (400, CLOSE, header(b'X\t: y')),
        (400, CLOSE, header(b': y')),
        (400, CLOSE, header(b'X')),
        (400, CLOSE, header(b'X y: z')),
        (400, CLOSE, header(b'X(: z')),
        (400, CLOSE, header(b'X\xe9: z')),
        (400, CLOSE, header(b'X: y\r\n folded')),
        (400, CLOSE, header(b'X: y\r\n\tfolded')),
        (400, CLOSE, b'GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n'),
        (400, CLOSE, header(b'X: \x00')),
        (400, CLOSE, header(b'X\x00: y')),
        (400, CLOSE, header(b'X: \x01')),
        (400, CLOSE, header(b'\x01ookie: a')),
        (400, CLOSE, header(b'X: a\x7fb')),
        (400, CLOSE, header(b'X: a\x1b[2Jb')),
        (400, CLOSE, header(b'X: a\rY: b')),
        (400, CLOSE, header(b'X: a\nY: b')),
        (400, CLOSE, header(b'X: a\r\r\nY: b')),
        (400, CLOSE, header(b'X: a\r')),
        (400, CLOSE, b'GET /healthz HTTP/1.1\nHost: x\n\n'),
        (400, CLOSE, b'GET /healthz HTTP/1.1\r\nHost: x\n\r\n'),
        (400, CLOSE, b'GET /healthz HTTP/1.1\rHost: x\r\r'),
        (400, CLOSE, b'GET /healthz HTTP/1.1\r\nHost: x\r\n\n'),
        (431, CLOSE, header(b'X: ' + b'y' * 16384)),
        (431, CLOSE, header(b'X: ' + b'y' * (16384 - len(header(b'X: ')) + 1))),
        (431, CLOSE, header(b'y' * 20000 + b': x')),
        (431, CLOSE, header(b'X: ' + b'y' * 1000000)),
        (431, CLOSE, header(b'\r\n'.join(b'X: y' for _ in range(101)))),
        (431, CLOSE, header(b'\r\n'.join(b'X-%d: y' % i for i in range(5000)))),
        (431, CLOSE, header(b'\r\n'.join(b'Cookie: a=b' for _ in range(5000)))),
    ],
    'hosts': lambda: [
        (400, STAY, b'GET /healthz HTTP/1.1\r\n\r\n'),
        (400, STAY, b'GET /healthz HTTP/1.1\r\nHost:\r\n\r\n'),
        (400, STAY, b'GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n'),
        (400, STAY, b'GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n'),
        (400, STAY, b'GET /healthz HTTP/1.1\r\nHost: a@b\r\n\r\n'),
        (400, STAY, b'GET /healthz HTTP/1.1\r\nHost: a:b\r\n\r\n'),
        (400, STAY, b'GET /healthz HTTP/1.1\r\nHost: a:99999999999999999999\r\n\r\n'),
        (400, STAY, b'GET /healthz HTTP/1.1\r\nHost: ' + b'a' * 5000 + b'\r\n\r\n'),
        (400, STAY, header(b'Host: ' + host().encode())),
        (400, STAY, header(b'hOST: other')),
        (403, STAY, head('GET /v1/info HTTP/1.1', 'Origin: http://example.com')),
        (403, STAY, head('GET /v1/info HTTP/1.1', 'Origin: null')),
        (403, STAY, head('GET /v1/info HTTP/1.1', 'Sec-Fetch-Site: cross-site')),
        (403, STAY, head('GET /v1/info HTTP/1.1', 'Sec-Fetch-Site: "cross-site"')),
        (403, STAY, head('GET /v1/info HTTP/1.1', 'Sec-Fetch-Site: nonsense')),
        (400, STAY, head('GET /v1/info HTTP/1.1', 'Origin: http://a', 'Origin: http://a')),
        (403, STAY, head('OPTIONS /v1/processes HTTP/1.1', 'Origin: http://example.com',
                         'Access-Control-Request-Method: POST')),
    ],
    'lengths': lambda: [
        (400, CLOSE, sized(18, JSON, 'Content-Length: 18')),
        (400, CLOSE, sized(18, JSON, 'Content-Length: 5')),
        (400, CLOSE, sized('18, 18')),
        (400, CLOSE, sized('18,5')),
        (400, CLOSE, sized('+18')),
        (400, CLOSE, sized('-1')),
        (400, CLOSE, sized('-0')),
        (400, CLOSE, sized('0x12')),
        (400, CLOSE, sized('1e1')),
        (400, CLOSE, sized('18.0')),
        (400, CLOSE, sized('1 8')),
        (400, CLOSE, sized('')),
        (400, CLOSE, sized('"18"')),
        (400, CLOSE, sized('\u00b9\u00b2')),
        (413, CLOSE, sized(262145)),
        (413, CLOSE, sized(2 ** 31)),
        (413, CLOSE, sized(2 ** 32 + 18)),
        (413, CLOSE, sized(2 ** 63 - 1)),
        (413, CLOSE, sized(2 ** 63)),
        (413, CLOSE, sized(2 ** 64 + 18)),
        (413, CLOSE, sized('9' * 1000)),
        (413, CLOSE, head('GET /v1/info HTTP/1.1', f'Content-Length: {2 ** 40}')),
        (400, CLOSE, sized(18, JSON, 'Transfer-Encoding: chunked')),
        (400, CLOSE, chunked(b'0\r\n\r\n', 'Content-Length: 5')),
        (400, CLOSE, sized(0, b'', 'Transfer-Encoding: chunked')),
    ],
    'codings': lambda: [
        (400, CLOSE, post(b'0\r\n\r\n', f'Transfer-Encoding: {coding}'))
        for coding in ('', 'identity', 'gzip', 'xchunked', 'chunkedx', 'x-chunked', 'chunked, chunked', 'gzip, chunked',
                       'chunked, identity', 'chunked,', ',chunked', 'chunked;q=1', '"chunked"', 'chun ked', '\x0bchunked',
                       'chunked\x0b', '\u00a0chunked', 'identity, chunked', 'deflate')
    ] + [
        (400, CLOSE, post(b'0\r\n\r\n', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')),
        (400, CLOSE, post(b'0\r\n\r\n', 'Transfer-Encoding: chunked', 'transfer-encoding: identity')),
        (400, CLOSE, post(b'0\r\n\r\n', 'Transfer-Encoding\t: chunked')),
        (400, CLOSE, post(b'0\r\n\r\n', 'Transfer-Encoding:\r\n chunked')),
        (400, CLOSE, post(b'0\r\n\r\n', 'X: y\nTransfer-Encoding: chunked')),
        (400, CLOSE, chunked(b'0\r\n\r\n').replace(b'HTTP/1.1', b'HTTP/1.0')),
    ],
    'chunks': lambda: [
        (400, CLOSE, chunked(body)) for body in (
            b'x\r\n', b'\r\n', b' 5\r\n', b'5 \r\nhello\r\n0\r\n\r\n', b'-5\r\n', b'+5\r\n', b'0x5\r\nhello\r\n0\r\n\r\n',
            b'5\nhello\r\n0\r\n\r\n', b'5\r\nhello\n0\r\n\r\n', b'5\r\nhello\r0\r\n\r\n', b'5\r\nhelloX\r\n0\r\n\r\n',
            b'4\r\nhello\r\n0\r\n\r\n', b'5\rhello', b'5\x00\r\nhello\r\n0\r\n\r\n', b'FFFFFFFFFFFFFFFF\r\nx',
            b'8000000000000000\r\nx', b'10000000000000005\r\nhello\r\n0\r\n\r\n', b'0' * 300 + b'\r\n', b'5;' + b'x' * 300,
            b'5;x=\x01\r\n', b'5;x\nhello\r\n0\r\n\r\n', b'0\r\nX\r\n\r\n', b'0\r\nX : y\r\n\r\n', b'0\r\n folded\r\n\r\n',
            b'0\r\nX: \x00\r\n\r\n', b'0\n\n', b'0\r\n\n', b'{"argv": ["true"]}')
    ] + [
        (413, EITHER, chunked(b'50000\r\n' + b' ' * 0x50000 + b'\r\n0\r\n\r\n')),
        (413, EITHER, chunked(b'1\r\n \r\n' * 270000 + b'0\r\n\r\n')),
        (431, CLOSE, chunked(b'0\r\n' + b'X: y\r\n' * 5000 + b'\r\n')),
        (431, CLOSE, chunked(b'0\r\nX: ' + b'y' * 20000 + b'\r\n\r\n')),
    ],
    'expectations': lambda: [
        (417, CLOSE, sized(18, JSON, 'Expect: 200-ok')),
        (417, CLOSE, sized(18, JSON, 'Expect: 100-continue, 100-continue')),
        (417, CLOSE, sized(18, JSON, 'Expect: 100-continue', 'Expect: 100-continue')),
        (417, CLOSE, sized(18, JSON, 'Expect:')),
        (417, STAY, head('GET /v1/info HTTP/1.1', 'Expect: nothing')),
        (413, CLOSE, sized(300000, b' ' * 300000, 'Expect: 100-continue')),
        (413, CLOSE, sized(64 << 20, b' ' * (64 << 20), 'Expect: 100-continue')),
    ],
    'large_bodies': lambda: [
        (413, CLOSE, sized(64 << 20, b' ' * (64 << 20))),
        (413, CLOSE, sized(300000, b' ' * 300000)),
        (413, CLOSE, chunked(b'4000000\r\n' + b' ' * (64 << 20) + b'\r\n0\r\n\r\n')),
        (413, CLOSE, chunked((b'10000\r\n' + b' ' * 65536 + b'\r\n') * 1024 + b'0\r\n\r\n')),
        (405, CLOSE, head('PUT /v1/processes HTTP/1.1', f'Content-Length: {64 << 20}') + b' ' * (64 << 20)),
        (404, CLOSE, head('POST /nowhere HTTP/1.1', f'Content-Length: {64 << 20}') + b' ' * (64 << 20)),
        (413, CLOSE, head('GET /v1/info HTTP/1.1', f'Content-Length: {64 << 20}') + b' ' * (64 << 20)),
        (413, CLOSE, head('GET /v1/info HTTP/1.1', 'Transfer-Encoding: chunked') + b'2000000\r\n' + b' ' * (32 << 20)),
        (404, CLOSE, head('PUT /v1/processes/999/stdin HTTP/1.1', f'Content-Length: {64 << 20}') + b' ' * (64 << 20)),
        (404, CLOSE, head('PUT /v1/processes/999/stdin HTTP/1.1', 'Transfer-Encoding: chunked') +
         b'4000000\r\n' + b' ' * (64 << 20) + b'\r\n0\r\n\r\n'),
    ],
}

# What injects into SQL, a shell, a path, a log or a format.
POISON = (
    "' OR '1'='1", "'; DROP TABLE process; --", '" OR 1=1 --', '1; DELETE FROM process', "x' UNION SELECT 1,2,3 --", '%', '_',
    '%%', '*', '[a-z]', '\\', "\\'", '$(touch /tmp/x)', '`id`', '| id', '../../../etc/passwd', '..\\..', '/etc/passwd', '%s%n%x',
    '{{7*7}}', '<script>alert(1)</script>', '\r\nSet-Cookie: a=b', '\u202e', '\U0001f4a9', 'a' * 3000, '-1', '0', '1e308', 'NaN', 'null',
    'undefined', '[]', '{}', 'true')
NUMBERS = (
    '-1', '-0', '+1', ' 1', '1 ', '01x', '0x1', '1e3', '1.5', '1_000', '4294967296', '4294967295', '2147483648',
    '9223372036854775807', '9223372036854775808', '-9223372036854775809', '18446744073709551616', '9' * 400, '1e999', 'nan',
    'inf', '-inf', '', "1'", '\u0661', '\uff11')
PARAMETERS = {
    '/v1/processes': 'state name daemon parent label start_method since until q dangling order limit cursor'.split(),
    '/v1/processes/1': ['wait'],
    '/v1/processes/1/logs': 'stream offset limit tail follow'.split(),
    '/v1/processes/1/children': 'order limit cursor'.split(),
}
ANY = (200, 400, 404, 414)


def queries(values):
    for path, names in PARAMETERS.items():
        for name in names:
            # These may be right, and then they wait.
            waits = name in ('wait', 'follow')
            for value in values:
                if not (waits and value in ('1', 'true', '1 ')):
                    yield ANY, STAY, line(f'GET {path}?{name}={quote(value, safe="")} HTTP/1.1')


def launch(**fields):
    return sized_json({'argv': ['true'], 'start': False} | fields)


def sized_json(document):
    body = json.dumps(document).encode()
    return sized(len(body), body)


def bytes_of(body):
    return sized(len(body), body)


def with_token(authorization):
    return f'GET /v1/info HTTP/1.1\r\nHost: {host()}\r\n{authorization}\r\n\r\n'.encode('latin-1')


def bad_bodies():
    deep = 100000
    yield from ((400, STAY, bytes_of(body)) for body in (
        b'{"argv": ' + b'[' * deep + b']' * deep + b'}', b'[' * (2 * deep), b'{"a":' * (deep // 4), b'{"argv": ["true"], "argv": ["false"]}',
        b'{"argv": ["\xff"]}', b'{"argv": ["\xc0\xaf"]}', b'{"argv": ["\xed\xa0\x80"]}', b'{"argv": ["tr\\u0000ue"]}',
        b'{"argv": ["tr\x00ue"]}', b'{"argv\\u0000": ["true"]}', b'{"argv": ["\\ud800"]}', b'\xef\xbb\xbf' + JSON, JSON + b'\x00', JSON + JSON,
        '{"argv": ["true"]}'.encode('utf-16'), '{"argv": ["true"]}'.encode('utf-32'), b'\x00' * 1000, b'', b' ' * 1000, b'argv=true',
        b'<argv>true</argv>'))
    yield 415, STAY, sized(len(JSON), JSON, 'Content-Type: text/plain')
    yield from ((422, STAY, launch(**{name: value})) for name in ('user', 'group') for value in (
        4294967295, 4294967296, -1, 2 ** 64, '4294967295', '4294967296', '-1', '0x0', '', ' 0', '0 ', 'root\n', 'no\u0020such', 'a' * 300, [],
        {}, None, True, 0.0, '../root', "root'--"))
    yield from ((422, STAY, launch(**{name: 1})) for name in (
        'Argv', 'arguments', 'command', 'shell', 'ENV', 'enviroment', 'uid', 'gid', 'User', 'usr', 'id', 'pid', 'exitcode', 'state', '__proto__',
        'constructor', '', ' argv', 'argv ', 'a' * 10000))
    yield from ((422, STAY, launch(**{name: value})) for name, value in (
        ('cwd', '../..'), ('cwd', 'tmp'), ('env', {'A=B': 'c'}), ('env', {'': 'c'}), ('env', {'CRECHE_AUTHKEY': 'x'}), ('rlimits', {'nofile': [2 ** 64, 2 ** 64]}),
        ('timeout', -1), ('nice', 2 ** 31), ('nice', -2 ** 63), ('umask', 2 ** 32), ('umask', '0o777'),
        ('name', 'x' * 100000), ('stdin', 'pipe\n'), ('stdout', '/etc/passwd'), ('stdout', '../x'),
        ('start_method', 'spawn\n'), ('on_parent_death', 'SIGKILL; id'), ('on_parent_death', -9)))


GROUPS |= {
    'poison': lambda: queries(POISON),
    'numbers': lambda: queries(NUMBERS),
    'repeated': lambda: [(400, STAY, line(f'GET {path}?{name}=1&{name}=1 HTTP/1.1'))
                         for path, names in PARAMETERS.items() for name in names if name != 'label'] + [
        (400, STAY, line(f'GET {path}?nonsense=1 HTTP/1.1')) for path in PARAMETERS],
    'bodies': bad_bodies,
    'tokens': lambda: [(401, STAY, with_token(authorization)) for token in [os.environ['CRECHE_TOKEN']] for authorization in (
        f'Authorization: Bearer {token[:-1]}', f'Authorization: Bearer {token}x', f'Authorization: Bearer {token[1:]}',
        f'Authorization: Bearer {token}{token}', f'Authorization: Bearer {token}, Bearer {token}', f'Authorization: Bearer "{token}"',
        f'Authorization: {token}', f'Authorization: Basic {token}', 'Authorization: Bearer', 'Authorization:', 'Authorization: Bearer ck-1-',
        'Authorization: Bearer ck-9223372036854775808-00', "Authorization: Bearer ' OR 1=1 --", 'Authorization: Bearer ' + 'a' * 10000,
        'Authorization: Bearer \xff\xfe', f'Authorization: Bearer {token}\r\nAuthorization: Bearer {token}', f'Authorization: Bearer\t{token}',
        'Authorization: Bearer ck-1-' + '0' * 64)],
    # Unusual, and right.
    'oddities': lambda: [
        (200, STAY, b'\r\n' + head()),
        (200, STAY, line(f'GET {scheme()}://{host()}/v1/info HTTP/1.1')),
        (200, STAY, line('GET /v1/inf%6f HTTP/1.1')),
        (200, STAY, line('GET /v1/info? HTTP/1.1')),
        (200, STAY, line(f"GET /v1/processes?{'&' * 8000} HTTP/1.1")),
        (200, EITHER, line('GET /v1/info HTTP/1.0')),
        (200, STAY, header(b'x-empty:')),
        (200, STAY, header(b'X:\t y \t')),
        (200, STAY, header(b'X: \xe9\xff')),
        (422, STAY, sized('\t2 \t', b'{}')),
        (200, STAY, header(b'Cookie: ' + b'a=b;' * 3000)),
        (200, STAY, header(b'X: ' + b'y' * (16384 - len(header(b'X: '))))),
        (200, STAY, header(b'\r\n'.join(b'X-%d: y' % i for i in range(98)))),
        (200, STAY, header(b'Range: bytes=' + b','.join(b'%d-%d' % (i, i + 1) for i in range(1000)))),
        (200, STAY, header(b'If-None-Match: ' + b'"a", ' * 2000 + b'"a"')),
        (200, STAY, header(b'Accept-Encoding: ' + b'br;q=0.1, ' * 1000 + b'x')),
        (200, STAY, header(b'Accept: */*;q=nonsense\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA')),
        (200, STAY, header(b'Content-Length: 0')),
        (200, STAY, header(b'Transfer-Encoding:\tCHUNKED ') + b'0\r\n\r\n'),
        (200, STAY, header(b'Expect: 100-continue\r\nContent-Length: 2') + b'{}'),
        (422, STAY, chunked(b'2;a=b;c="d"\r\n{}\r\n000;x\r\nX: y\r\nContent-Length: 9\r\n\r\n')),
        (422, STAY, sized('0000000000000000002', b'{}')),
    ],
}


def expect(client, want, fate, data):
    answer = client.answer()
    wanted = want if isinstance(want, tuple) else (want,)
    if answer.status not in wanted:
        raise Broken(f'{answer.status} {answer.body[:200]!r}')
    if answer.status >= 400:
        answer.problem()
    if fate == CLOSE and not client.is_closed():
        raise Broken(f'{answer.status}, and the connection goes on: {client.pending[:200]!r}')
    if fate == STAY and answer.header('connection') != 'close':
        client.send(GOOD % host().encode())
        if client.answer().status != 200:
            raise Broken('the next request was not served')


def alone(client, data):
    client.send(data)


def second(client, data):
    client.send(GOOD % host().encode())
    if client.answer().status != 200:
        raise Broken('the first request was not served')
    client.send(data)


def together(client, data):
    client.send(GOOD % host().encode() + data)
    if client.answer().status != 200:
        raise Broken('the first request was not served')


def byte_by_byte(client, data):
    if len(data) > BYTE_BY_BYTE_MAX:
        client.send(data)
        return
    for i in range(len(data)):
        if not client.send(data[i:i + 1]):
            return


def attack(group):
    wrong = 0
    for want, fate, data in GROUPS[group]():
        for via in VIAS:
            for how in (alone, second, together, byte_by_byte):
                try:
                    with Client(via) as client:
                        how(client, data)
                        expect(client, want, fate, data)
                except (Broken, ValueError, KeyError, OSError) as e:
                    wrong += 1
                    print(f'{via}, {how.__name__}: {data[:60]!r}...{data[-100:]!r}\n  wanted {want}, {fate}; {e}')
    return wrong


if __name__ == '__main__':
    sys.exit(1 if sum(attack(group) for group in sys.argv[1:]) else 0)
