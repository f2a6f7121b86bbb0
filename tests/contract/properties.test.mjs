/* SPDX-License-Identifier: MIT */
/* Whatever the schemas allow is taken; whatever they do not allow is refused, with its place, and changes nothing.
 *
 * CONTRACT_SEED=N tries again what was tried with the seed N, which each test tells; CONTRACT_RUNS=N: how much. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { check, operation, operations, validator } from './document.mjs';
import { invalid, valid } from './arbitrary.mjs';
import { World } from './recipes.mjs';
import { Creche } from './server.mjs';

const seed = Number(process.env.CONTRACT_SEED ?? Math.floor(Math.random() * 2 ** 31));
const numRuns = Number(process.env.CONTRACT_RUNS ?? 150);

let creche, world, ended;

before(async () => {
  creche = await Creche.start();
  world = new World(creche);
  ended = await world.ended();
});
after(() => creche.stop());

/* For all values: the property holds. */
function forAll(name, arbitrary, property) {
  test(name, async (t) => {
    t.diagnostic(`CONTRACT_SEED=${seed}`);
    await fc.assert(fc.asyncProperty(arbitrary, property), { seed, numRuns, includeErrorInReport: true });
  });
}

/* ------------------------------------------------------------------------------------------ valid bodies */

/* A process that the operation can be about. */
async function subject(op) {
  if (!op.pathParameter || op.pathParameter === 'name')
    return op.pathParameter && 'properties';
  return ['update_process', 'start_process'].includes(op.id) ? world.created() : ended;
}

/* What is started at random is harmless, and who is waited for is there. */
function tame(body) {
  if (body.argv)
    body.argv[0] = 'true';
  if (body.ids)
    body.ids = body.ids.map(() => ended);
  body.processes?.forEach(tame);
  return body;
}

const bytes = (v) => (typeof v === 'string' ? Buffer.from(v) : Buffer.from(v.base64, 'base64'));
const hasNul = (v) => bytes(v).includes(0);

/* What the document says in words, by the place that is refused then. */
const IN_WORDS = {
  name: (body) => Buffer.byteLength(body.name) > 255,
  argv: (body, op) => body.argv.some((v) => hasNul(v) || (op.id === 'put_target' && /[{}]/.test(v))),
  placeholders: () => true,
  description: (body) => Buffer.byteLength(body.description) > 1024,
  target: () => true,
  targets: (body) => body.scopes.includes('admin'),
  env: (body) => Object.values(body.env).some(hasNul),
  secrets: (body) => Object.values(body.secrets).some(hasNul),
  identity: () => true,
  user: () => true,
  group: () => true,
  expires_in: () => true,
  expires_at: () => true,
  rlimits: (body) => Object.values(body.rlimits).some(([soft, hard]) => hard !== null && (soft ?? Infinity) > hard),
};

/* An integer, as JSON writes it, that 64 bits do not hold. */
function isHuge(v) {
  return typeof v === 'object' && v !== null ? Object.values(v).some(isHuge)
    : Number.isInteger(v) && Math.abs(v) >= 2 ** 63 && Math.abs(v) < 1e21;
}

function assertInWords(op, body, problem) {
  const [, place, n, inner] = problem.errors?.[0].pointer.split('/') ?? [];
  const [at, said] = place === 'processes' ? [inner, body.processes[n]] : [place, body];

  assert.ok(isHuge(body) || IN_WORDS[at]?.(said, op), `refused, though it is of its schema: ${JSON.stringify(problem)}`);
}

function assertTaken(op, body, answer) {
  const problems = answer.json?.results?.map((one) => one.problem) ?? [answer.json];

  check(op, answer);
  assert.ok(answer.status < 300 || [403, 404, 409, 422, 429].includes(answer.status), answer.text);
  for (const problem of problems)
    if (problem?.code === 'invalid')
      assertInWords(op, body, problem);
}

for (const op of operations.filter((o) => o.isJson))
  forAll(`${op.id}: a body of the schema is taken`, valid(op.schema).map(tame), async (body) => {
    assertTaken(op, body, await world.call(op, { id: await subject(op), json: body }));
  });

/* ---------------------------------------------------------------------------------------- invalid bodies */

/* The place that a pointer names, or would if it were there, is in the body. */
function assertPlace(pointer, body, text) {
  const steps = pointer.split('/').slice(1).map((s) => s.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = steps.pop();
  const holder = steps.reduce((v, step) => v?.[step], body);

  assert.ok(last === undefined || (holder !== null && typeof holder === 'object'), text);
}

/* All that a request can have changed. */
async function everything() {
  const { counts } = await creche.ask('GET', '/v1/info');
  const { processes } = await creche.ask('GET', '/v1/processes?limit=20');
  const { targets } = await creche.ask('GET', '/v1/targets');

  return { counts, processes, targets };
}

/* What is wrong with one of a batch must be no matter to the others, unless it is all or none. */
const allOrNone = (body) => (body?.mode === 'each' ? { ...body, mode: 'all' } : body);

for (const op of operations.filter((o) => o.isJson)) {
  let id;

  forAll(`${op.id}: a body that is not of the schema is refused, and changes nothing`, invalid(op.schema).map(allOrNone),
    async (body) => {
      id ??= await subject(op);
      const was = await everything();
      const answer = check(op, await world.call(op, { id, json: body }));

      /* A string with a NUL is none that could be read. */
      assert.equal(answer.json.code, JSON.stringify(body).includes('\\u0000') ? 'malformed' : 'invalid', answer.text);
      assertPlace(answer.json.errors[0].pointer, body, answer.text);
      assert.deepEqual(await everything(), was);
    });
}

for (const op of operations.filter((o) => o.isJson))
  forAll(`${op.id}: what is no JSON is refused, with the place where it ends to be it`,
    fc.tuple(valid(op.schema).filter((v) => !isHuge(v)), fc.nat()).map(([v, n]) => {
      const text = JSON.stringify(v);

      return text.slice(0, 1 + n % (text.length - 1));
    }), async (body) => {
      const answer = check(op, await world.call(op, { id: ended, body }));

      assert.equal(answer.json.code, 'malformed', answer.text);
      assert.equal(typeof answer.json.errors[0].pointer, 'string', answer.text);
    });

/* --------------------------------------------------------------------------------------------- queries */

const gets = operations.filter((o) => o.method === 'GET' && o.query.length);

/* The pairs of a parameter: several when it is repeated. */
function pairs({ name, schema, explode = true }, value) {
  const values = Array.isArray(value) && explode ? value : [value];

  return schema.type === 'array' && !values.length ? [] : values.map((v) => [name, String(v)]);
}

function queryOf(op, values) {
  const all = op.query.filter((p) => values[p.name] !== undefined).flatMap((p) => pairs(p, values[p.name]));

  return all.length ? `?${new URLSearchParams(all)}` : '';
}

/* What the document says of parameters in words. */
function isPossible(values) {
  return values.tail === undefined || values.offset === undefined;
}

for (const op of gets) {
  const parameters = Object.fromEntries(op.query.filter((p) => p.name !== 'cursor').map((p) => [p.name, valid(p.schema)]));

  forAll(`${op.id}: a query of the schemas is taken`, fc.record(parameters, { requiredKeys: [] }).filter(isPossible),
    async (values) => {
      const answer = check(op, await world.call(op, { id: ended, query: queryOf(op, values) }));

      /* A place in the past or the future of the events is one that there is not. */
      assert.ok(answer.status === 200 || answer.json.code === 'events_gone', answer.text);
    });
}

/* A query has no types: digits may be meant as a number. */
function isOf({ schema, explode = true }, text) {
  const validate = validator(schema);

  return validate(text) || (text.trim() !== '' && validate(Number(text))) || validate(explode ? [text] : text.split(','));
}

for (const op of gets) {
  const values = op.query.map((p) => fc.tuple(fc.constant(p), fc.oneof(fc.string(), fc.integer().map(String),
    fc.constantFrom('', '1.5', '-1', '0x1', '1e3', 'true', 'yes', 'null', 'none')).filter((s) => !isOf(p, s))));
  const can = op.query.filter((p) => fc.sample(fc.string(), 50).some((s) => !isOf(p, s)));

  if (!can.length)
    continue; // all that can be written is of them
  forAll(`${op.id}: a query that is not of the schemas is refused`,
    fc.oneof(...values.filter((_, i) => can.includes(op.query[i]))), async ([p, text]) => {
      const answer = check(op, await world.call(op, { id: ended, query: `?${new URLSearchParams([[p.name, text]])}` }));

      assert.equal(answer.json?.code, 'invalid_query', `${p.name}=${text}: ${answer.status}`);
    });
}

/* ------------------------------------------------------------------------------------------ the same key */

test('a repeated Idempotency-Key is answered with the same process, and says so', async () => {
  const op = operation('create_process');
  const repeat = async () => check(op, await world.call(op, { headers: { 'Idempotency-Key': 'properties' } }));
  const [first, again] = [await repeat(), await repeat()];

  assert.equal(again.json.id, first.json.id);
  assert.equal(first.headers['idempotency-replayed'], undefined);
  assert.equal(again.headers['idempotency-replayed'], 'true');
  assert.equal(again.headers.location, `/v1/processes/${first.json.id}`);
});
