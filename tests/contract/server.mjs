/* SPDX-License-Identifier: MIT */
/* A Creche under test, and requests to it. Processes are ended by pid: only those that were started here, or that
 * descend from them. */
import assert from 'node:assert/strict';
import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mediaType } from './document.mjs';

const PATIENCE_MS = 1000 * Number(process.env.PATIENCE_S ?? 20);
const BUILD = resolve(process.env.BUILD ?? new URL('../../build', import.meta.url).pathname);

export async function until(condition, what) {
  for (const end = Date.now() + PATIENCE_MS; ;) {
    const found = await condition();

    if (found)
      return found;
    assert.ok(Date.now() < end, `still not so after ${PATIENCE_MS} ms: ${what}`);
    await sleep(20);
  }
}

async function freePort() {
  const server = net.createServer();

  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/* The name and the state of a process; undefined: there is none. */
function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');

    return { name: text.slice(text.indexOf('(') + 1, text.lastIndexOf(')')), state: text.slice(text.lastIndexOf(')') + 2)[0] };
  } catch {
    return undefined;
  }
}

function isDead(pid) {
  return 'ZX'.includes(stat(pid)?.state ?? 'X');
}

function children(pid) {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function answerOf(res, chunks) {
  const body = Buffer.concat(chunks);
  const answer = { status: res.statusCode, headers: res.headers, body, text: body.toString() };

  if (mediaType(res.headers['content-type']).endsWith('json') && body.length)
    answer.json = JSON.parse(answer.text);
  return answer;
}

/* Sends one request on a connection of its own. A body goes out when the server has asked for it (100), so that it
 * can be refused before. */
function send(options, body) {
  return new Promise((done, failed) => {
    const req = http.request({ agent: false, setHost: false, ...options });

    req.setTimeout(PATIENCE_MS, () => req.destroy(new Error('no answer')));
    req.on('error', failed);
    req.on('continue', () => req.end(body));
    req.on('response', (res) => {
      const chunks = [];

      res.on('data', (chunk) => chunks.push(chunk));
      res.on('error', failed);
      res.on('end', () => done(answerOf(res, chunks)));
    });
    if (body === undefined)
      req.end();
    else
      req.flushHeaders();
  });
}

export class Creche {
  /* @under: a command that runs creched, with {} for its state directory. @listen: another address, or 'none'.
   * @options of creched. */
  static async start({ under = [], listen, options = [] } = {}) {
    const creche = new Creche();

    creche.directory = mkdtempSync(join(tmpdir(), 'creche-contract.'));
    creche.state = join(creche.directory, 'state');
    creche.socket = join(creche.directory, 's');
    creche.port = await freePort();
    creche.listen = listen ?? `127.0.0.1:${creche.port}`;
    await creche.begin(under.map((word) => word.replaceAll('{}', creche.state)), options);
    creche.token = creche.file('token').trim();
    return creche;
  }

  async begin(under, options) {
    const stderr = openSync(join(this.directory, 'stderr'), 'a');
    const [command, ...args] = [...under, join(BUILD, 'creched'), '--state-dir', this.state, '--socket', this.socket,
      '--listen', this.listen, ...options];

    this.main = spawn(command, args,
      { env: { PATH: process.env.PATH, HOME: this.directory }, stdio: ['ignore', 'pipe', stderr] });
    closeSync(stderr);
    this.ended = new Promise((done) => this.main.once('exit', (code, signal) => done(code ?? signal)));
    const line = await Promise.race([
      new Promise((done) => this.main.stdout.once('data', (data) => done(data.toString()))), this.ended]);

    assert.match(String(line), /^READY /, this.stderr());
  }

  stderr() {
    return readFileSync(join(this.directory, 'stderr'), 'utf8');
  }

  /* A file of the state directory, as the server sees it: it may have mounts of its own. */
  path(name) {
    return join(`/proc/${this.main.pid}/root`, this.state, name);
  }

  file(name) {
    return readFileSync(this.path(name), 'utf8');
  }

  /* @json, or @body with @type. @tcp: over TCP, with no token unless one is given. */
  request(method, path, { json, body, type, headers = {}, tcp = false } = {}) {
    const bytes = json === undefined ? body : JSON.stringify(json);
    const all = { Host: tcp ? `127.0.0.1:${this.port}` : 'localhost', ...headers };

    if (bytes !== undefined)
      Object.assign(all, { 'Content-Type': type ?? 'application/json', 'Content-Length': Buffer.byteLength(bytes),
        Expect: '100-continue' }, headers);
    return send({ ...(tcp ? { host: '127.0.0.1', port: this.port } : { socketPath: this.socket }), method, path,
      headers: all }, bytes);
  }

  /* An answer of which nothing is read but the head; to be destroyed. */
  open(method, path, headers = {}) {
    return new Promise((done, failed) => {
      const req = http.request({ agent: false, socketPath: this.socket, method, path, headers });

      req.on('error', failed);
      req.on('response', done);
      req.end();
    });
  }

  /* An answer that must be a good one. */
  async ask(method, path, options) {
    const answer = await this.request(method, path, options);

    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.json ?? answer.text;
  }

  daemon() {
    return children(this.main.pid).find((pid) => stat(pid)?.name === 'creched' && !isDead(pid));
  }

  /* SIGKILL to creched; before the next one comes, @meanwhile. */
  async killDaemon(meanwhile) {
    const pid = this.daemon();

    this.main.kill('SIGSTOP');
    process.kill(pid, 'SIGKILL');
    await until(() => isDead(pid), 'creched is dead');
    meanwhile();
    this.main.kill('SIGCONT');
  }

  sql(statement) {
    return execFileSync('sqlite3', [this.path('registry.db'), statement], { encoding: 'utf8' }).trim();
  }

  async endJobs() {
    for (const p of (await this.ask('GET', '/v1/processes?state=starting,started&limit=1000')).processes)
      await this.ask('POST', `/v1/processes/${p.id}/kill`, { json: { tree: true } });
  }

  /* SIGTERM, as an operator does. */
  async stop() {
    try {
      await this.endJobs();
      this.main.kill('SIGTERM');
      assert.equal(await Promise.race([this.ended, sleep(PATIENCE_MS, 'still runs', { ref: false })]), 0);
      assert.doesNotMatch(this.stderr(), /ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:/);
    } finally {
      this.killAll();
      rmSync(this.directory, { recursive: true, force: true });
    }
  }

  /* Nothing is left after a good end. */
  killAll() {
    const all = this.main.exitCode === null && this.main.signalCode === null ? [this.main.pid] : [];

    for (let i = 0; i < all.length; i++)
      all.push(...children(all[i]));
    for (const pid of all.filter((p) => !isDead(p)))
      process.kill(pid, 'SIGKILL');
  }
}
