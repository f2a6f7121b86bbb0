/* SPDX-License-Identifier: MIT */
/* How to get each answer that the document declares: by the code of its problem, by its status without one. An
 * operation has recipes of its own; where it has none, the common one is taken. */
import assert from 'node:assert/strict';
import { operation } from './document.mjs';
import { Creche, until } from './server.mjs';

/* Codes that cannot be had for each operation at will, and where they are tried. */
export const ELSEWHERE = {
  forbidden: 'another user (tests/api/users.bats), or a token without the scope',
  needs_repeat: 'a crash between two steps: tests/api/recovery.bats',
  policy_refused: 'separated privileges, for which one must be root: tests/api/privileges.bats',
  stopping: 'a moment of the end: tests/api/daemon.bats',
  try_again: 'too few processes, files or memory: tests/crash/memory.bats, kernel.bats',
};

/* Processes in each condition, on one server. */
export class World {
  constructor(creche) {
    this.creche = creche;
  }

  async start(body, headers) {
    return this.creche.ask('POST', '/v1/processes', { json: body, headers });
  }

  async created(body = {}, headers = {}) {
    return (await this.start({ argv: ['true'], start: false, ...body }, headers)).id;
  }

  async ended(body = {}) {
    const { id } = await this.start({ argv: ['true'], ...body });

    await this.creche.ask('POST', `/v1/processes/${id}/join`);
    return id;
  }

  async running(body = {}) {
    return (await this.start({ argv: ['sleep', '1000'], ...body })).id;
  }

  async closed() {
    const id = await this.ended();

    await this.creche.ask('POST', `/v1/processes/${id}/close`);
    return id;
  }

  /* A process that lives on, and the header with its token. */
  async parent(body = {}) {
    const { id } = await this.start({ argv: ['sh', '-c', 'echo "$CRECHE_AUTHKEY"; exec sleep 1000'], ...body });
    const log = await until(async () => this.creche.ask('GET', `/v1/processes/${id}/logs`), 'it has told its token');

    return { id, as: { Authorization: `Bearer ${log.trim()}` } };
  }

  /* One that another process has started. */
  async child() {
    const { as } = await this.parent();

    return (await this.start({ argv: ['true'] }, as)).id;
  }

  /* A token, as it is minted. */
  async token(more = {}) {
    return this.creche.ask('POST', '/v1/tokens', { json: { name: 'contract', scopes: ['read'], ...more } });
  }

  /* The name of a target that there is. */
  async target() {
    await this.creche.ask('PUT', '/v1/targets/contract', { json: { argv: ['true'] } });
    return 'contract';
  }

  /* Something that the path of the operation can name. */
  async subject(op) {
    if (op.pathParameter === 'name')
      return this.target();
    return op.path.startsWith('/v1/tokens/') ? (await this.token()).id : this.ended();
  }

  /* Sends the operation with what it asks for, unless told otherwise. */
  async call(op, { id, query = '', ...options } = {}) {
    const path = op.path.replace(`{${op.pathParameter}}`, id ?? (op.pathParameter ? await this.subject(op) : ''));
    const body = 'json' in options || 'body' in options || !Object.keys(op.content).length ? {} : await this.body(op, id);

    return this.creche.request(op.method, path + query, { ...body, ...options });
  }

  /* The first example of the body, made quick and of processes that there are. */
  async body(op, id) {
    if (!op.isJson)
      return { body: 'x', type: 'application/octet-stream' };
    const json = op.example;

    if (json.argv && !json.placeholders)
      json.argv = ['true'];
    for (const process of json.processes ?? [])
      process.argv = ['true'];
    if (json.ids)
      json.ids = [id ?? await this.ended()];
    return { json };
  }
}

/* A page of the server's own, which a browser shows. */
const page = (world, more = {}) => ({ tcp: true,
  headers: { Origin: `http://127.0.0.1:${world.creche.port}`, 'Sec-Fetch-Site': 'same-origin', ...more } });

async function exchange(world, op) {
  const { code } = await world.creche.ask('POST', '/v1/sessions');

  return world.call(op, { ...page(world), json: { code } });
}

/* The same with the cookie of a new session. */
async function inSession(world) {
  const answer = await exchange(world, operation('exchange_session'));

  return page(world, { Cookie: answer.headers['set-cookie'][0].split(';')[0] });
}

/* On a server of its own. */
const alone = (options, meanwhile = () => {}) => async (world, op) => {
  const other = new World(await Creche.start(options));

  await meanwhile(other, op);
  const answer = await other.call(op);

  await other.creche.stop();
  return answer;
};

/* A recipe gets the world and the operation, and returns the answer. */
const onProcess = (condition) => async (world, op) =>
  world.call(op, { id: await world[condition]() });
const about = (condition) => async (world, op) =>
  world.call(op, { json: { ids: [await world[condition]()] } });

/* Asks again, with the tag of the answer. */
async function unchanged(world, op, options) {
  const { etag } = (await world.call(op, options)).headers;

  return world.call(op, { ...options, headers: { ...options.headers, 'If-None-Match': etag } });
}

const COMMON = {
  200: (world, op) => world.call(op),
  201: (world, op) => world.call(op),
  204: (world, op) => world.call(op),

  304: async (world, op) => unchanged(world, op, { id: op.pathParameter && await world.subject(op) }),

  invalid_query: (world, op) => world.call(op, { query: '?nonsense=1' }),
  bad_request: (world, op) => world.call(op, { headers: { 'Transfer-Encoding': 'gzip' } }),
  unauthenticated: (world, op) => world.call(op, op.isPublic
    ? { headers: { Authorization: 'Bearer nonsense' } } : { tcp: true }),
  async token_expired(world, op) {
    const { token, expires_at: at } = await world.token({ expires_in: 0.001 });

    await until(async () => Date.now() > Date.parse(at) + 1, 'it has expired');
    return world.call(op, { headers: { Authorization: `Bearer ${token}` } });
  },
  async token_revoked(world, op) {
    const { id, token } = await world.token();

    await world.creche.ask('DELETE', `/v1/tokens/${id}`);
    return world.call(op, { headers: { Authorization: `Bearer ${token}` } });
  },
  cross_origin: (world, op) => world.call(op, { headers: { Origin: 'http://example.com' } }),
  not_found: (world, op) => world.call(op, { id: 4711000 }),
  malformed: (world, op) => world.call(op, { body: '{"argv": [' }),
  invalid: async (world, op) => {
    const answer = await world.call(op, { json: { ...op.example, nonsense: 1 } });

    assert.equal(answer.json.errors[0].pointer, '/nonsense');
    return answer;
  },
  too_large: (world, op) => world.call(op, { body: ' '.repeat(op.limit + 1) }),
  uri_too_long: (world, op) => world.call(op, { query: `?q=${'x'.repeat(8192)}` }),
  unsupported_media_type: (world, op) => world.call(op, { body: '{}', type: 'text/plain' }),
  misdirected: (world, op) => world.call(op, { tcp: true,
    headers: { Host: 'example.com', Authorization: `Bearer ${world.creche.token}` } }),

  already_started: onProcess('ended'),
  closed: onProcess('closed'),
  not_started: onProcess('created'),
  still_running: onProcess('running'),
};

/* Operations on a server whose database, or whose disk, is out of order, or where nobody may wait any more. */
export const ON_OTHERS = { unavailable: 'outage', insufficient_storage: 'full', too_many: 'crowded' };

/* What makes an operation wait that need not. */
const WAITING = {
  get_process: { query: '?wait=10' },
  read_logs: { query: '?follow=1' },
  write_stdin: { body: Buffer.alloc(1 << 18), type: 'application/octet-stream' },
};

/* Where nothing can be started any more, an operation is about what there was before. */
export function optionsOnOther(name, op, id) {
  if (name === 'crowded')
    return op.id === 'join_processes' ? { json: { ids: [id] } } : WAITING[op.id];
  if (name === 'full' && op.id === 'update_process')
    return { json: { nice: 1 } };
  return op.isJson ? { json: op.example } : {};
}

const OWN = {
  create_process: {
    async daemon_no_children(world, op) {
      const { as } = await world.parent({ daemon: true });

      return world.call(op, { headers: as });
    },
    exec_failed: (world, op) => world.call(op, { json: { argv: ['/nonesuch'] } }),
    async idempotency_mismatch(world, op) {
      await world.call(op, { headers: { 'Idempotency-Key': 'contract' } });
      return world.call(op, { json: { argv: ['false'] }, headers: { 'Idempotency-Key': 'contract' } });
    },
  },
  start_batch: {
    async daemon_no_children(world, op) {
      const { as } = await world.parent({ daemon: true });

      return world.call(op, { headers: as });
    },
    async idempotency_mismatch(world, op) {
      await world.call(op, { headers: { 'Idempotency-Key': 'contract' } });
      return world.call(op, { json: { processes: [{ argv: ['false'] }] }, headers: { 'Idempotency-Key': 'contract' } });
    },
  },
  update_process: {
    200: onProcess('created'),
    already_started: async (world, op) => world.call(op, { id: await world.ended(), json: { nice: 1 } }),
    closed: async (world, op) => world.call(op, { id: await world.closed(), json: { nice: 1 } }),
  },
  start_process: {
    200: onProcess('created'),
    async daemon_no_children(world, op) {
      const { as } = await world.parent({ daemon: true });

      return world.call(op, { id: await world.created({}, as), headers: as });
    },
    async not_creator(world, op) {
      const { as } = await world.parent();

      return world.call(op, { id: await world.created({}, as) });
    },
    exec_failed: async (world, op) => world.call(op, { id: await world.created({ argv: ['/nonesuch'] }) }),
  },
  join_process: {
    not_parent: onProcess('child'),
  },
  join_processes: {
    not_found: (world, op) => world.call(op, { json: { ids: [4711000] } }),
    closed: about('closed'),
    not_started: about('created'),
  },
  current_process: {
    200: async (world, op) => world.call(op, { headers: (await world.parent()).as }),
    304: async (world, op) => unchanged(world, op, { headers: (await world.parent()).as }),
    no_process: (world, op) => world.call(op),
  },
  parent_process: {
    200: onProcess('child'),
    304: async (world, op) => unchanged(world, op, { id: await world.child() }),
    no_parent: onProcess('ended'),
  },
  backup: {
    /* One that is larger than what a socket holds is not fetched. */
    async too_many(world, op) {
      world.creche.sql(`PRAGMA busy_timeout = 10000;
        WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO event (at, process, type, name) SELECT 1, 1, 'lost', printf('%0250d', i) FROM n`);
      const first = await world.creche.open(op.method, op.path);
      const answer = await world.call(op);

      first.destroy();
      await until(async () => (await world.call(op)).status === 200, 'its file is gone');
      return answer;
    },
  },
  list_events: {
    events_gone: (world, op) => world.call(op, { query: '?since=4711000' }),
    async too_many(world, op) {
      const headers = { Accept: 'text/event-stream' };
      const { event_streams: n } = (await world.creche.ask('GET', '/v1/info')).limits;
      const streams = await Promise.all(Array.from({ length: n }, () => world.creche.open(op.method, op.path, headers)));
      const answer = await world.call(op, { headers });

      streams.forEach((s) => s.destroy());
      return answer;
    },
  },
  read_logs: {
    no_log: async (world, op) => world.call(op, { id: await world.ended({ stdout: 'null' }) }),
  },
  create_session: {
    no_tcp: alone({ listen: 'none' }),
    too_many: alone({}, async (world, op) => {
      for (let codes = 0; codes < 32; codes++)
        await world.call(op);
    }),
  },
  exchange_session: { 201: exchange },
  current_session: { 200: async (world, op) => world.call(op, await inSession(world)) },
  end_session: { 204: async (world, op) => world.call(op, await inSession(world)) },
  put_target: {
    201: (world, op) => world.call(op, { id: `new-${Date.now()}` }),
    not_found: (world, op) => world.call(op, { id: '-' }),
  },
  write_stdin: {
    204: async (world, op) => world.call(op, { id: await world.running({ stdin: 'pipe' }), query: '?eof=1' }),
    no_stdin: onProcess('running'),
    stopped: async (world, op) => world.call(op, { id: await world.ended({ stdin: 'pipe' }) }),
  },
};

export function recipe(op, status, code) {
  return OWN[op.id]?.[code ?? status] ?? COMMON[code ?? status];
}
