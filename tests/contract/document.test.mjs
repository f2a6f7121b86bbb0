/* SPDX-License-Identifier: MIT */
/* The document by itself, and what a server makes of it as a whole. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { check, checkError, complaints, document, operation, operations, resolve } from './document.mjs';
import { World } from './recipes.mjs';
import { Creche } from './server.mjs';

let creche, world;

before(async () => {
  creche = await Creche.start();
  world = new World(creche);
});
after(() => creche.stop());

/* ------------------------------------------------------------------------------------------ by itself */

/* Each object of the document, with the names on the way to it. */
function* walk(value, way = []) {
  if (value === null || typeof value !== 'object')
    return;
  yield [value, way];
  for (const [key, v] of Object.entries(value))
    yield* walk(v, [...way, key]);
}

/* Examples stand beside a schema, or in one. */
function* examples() {
  for (const [node, way] of walk(document.paths))
    if (node.schema)
      for (const [name, e] of Object.entries(node.examples ?? {}))
        yield [[...way, name], node.schema, resolve(e).value];
  for (const [node, way] of walk(document.components)) {
    if (node.schema && node.example !== undefined)
      yield [way, node.schema, node.example];
    if (node.schema)
      for (const [name, e] of Object.entries(node.examples ?? {}))
        yield [[...way, name], node.schema, resolve(e).value];
    if (way[0] === 'schemas' && Array.isArray(node.examples))
      for (const e of node.examples)
        yield [way, Object.fromEntries(Object.entries(node).filter(([k]) => k !== 'examples')), e];
  }
}

test('each example is of its schema', () => {
  let n = 0;

  for (const [way, schema, value] of examples()) {
    assert.equal(complaints(schema, value), '', way.join(' > '));
    n++;
  }
  assert.ok(n > 100, `${n} examples`);
});

test('each problem code stands in the enum, in an answer, and in an example with the status of those answers', () => {
  const { enum: codes } = document.components.schemas.ProblemCode;
  const shown = Object.values(document.components.examples).map((e) => e.value).filter((v) => v.code);
  const status = new Map(shown.map((v) => [v.code, v.status]));
  const declared = new Set(operations.flatMap((op) => op.outcomes.map(([, code]) => code)).filter(Boolean));

  for (const code of resolve(document.components.responses.Error)['x-creche-codes'])
    declared.add(code);
  assert.deepEqual([...declared].sort(), [...codes].sort());
  assert.deepEqual(shown.map((v) => v.code).sort(), [...codes].sort());
  for (const op of operations)
    for (const [s, code] of op.outcomes)
      assert.ok(!code || status.get(code) === s, `${op.id} ${s}: ${code}`);
});

/* Each schema that a body of @schema is made of, with the members on the way to it. */
function* parts(schema, way = []) {
  const node = resolve(schema);
  const { properties = {}, items, additionalProperties, propertyNames } = node;

  yield [node, way];
  for (const [key, s] of Object.entries(properties))
    yield* parts(s, [...way, key]);
  for (const s of [...(node.oneOf ?? []), ...(node.anyOf ?? [])])
    yield* parts({ ...(node.maxLength && { maxLength: node.maxLength }), ...resolve(s) }, way);
  if (items)
    yield* parts(items, [...way, '[]']);
  if (propertyNames)
    yield* parts({ type: 'string', ...propertyNames }, [...way, 'name']);
  if (typeof additionalProperties === 'object')
    yield* parts(additionalProperties, [...way, '*']);
}

test('each string, list and map of a body has a bound', () => {
  let n = 0;

  for (const op of operations.filter((o) => o.isJson))
    for (const [node, way] of parts(op.schema)) {
      const where = `${op.id} ${way.join('/')}`;
      const types = [node.type].flat();

      n++;
      if (types.includes('string'))
        assert.ok('const' in node || node.enum || node.format || node.maxLength, `${where}: a string of any length`);
      if (types.includes('array'))
        assert.ok(node.maxItems, `${where}: a list of any length`);
      if (types.includes('object') && node.additionalProperties !== false)
        assert.ok(node.maxProperties && node.propertyNames, `${where}: any number of members`);
    }
  assert.ok(n > 150, `${n} places`);
});

/* What the server asks of a request before it looks at the operation, and of a body before its handler does. */
const ANY = ['invalid_query', 'bad_request', 'unauthenticated', 'cross_origin', 'uri_too_long', 'misdirected', 'unavailable'];
const ANY_JSON = ['malformed', 'too_large', 'unsupported_media_type', 'invalid'];

test('each operation declares what can be answered to any', () => {
  for (const op of operations) {
    const codes = op.outcomes.map(([, code]) => code);
    const all = [...ANY, ...(op.isJson ? ANY_JSON : []), ...(op.pathParameter ? ['not_found'] : [])];

    assert.deepEqual(all.filter((code) => !codes.includes(code)), [], op.id);
  }
});

test('what stands in components is used', () => {
  const used = new Set([...walk(document)].map(([node]) => node.$ref).filter(Boolean));

  for (const [kind, all] of Object.entries(document.components))
    for (const name of kind === 'securitySchemes' ? [] : Object.keys(all))
      assert.ok(used.has(`#/components/${kind}/${name}`), `${kind}/${name}`);
});

/* ----------------------------------------------------------------------------------------- as a whole */

test('/openapi.json serves the document', async () => {
  const served = await world.call(operation('openapi'));

  assert.deepEqual(check(operation('openapi'), served).json, document);
});

test('a method that a path does not declare is answered with 405 and those that it does', async () => {
  for (const [path, item] of Object.entries(document.paths)) {
    const declared = Object.keys(item).map((m) => m.toUpperCase());

    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'BREW'].filter((m) => !declared.includes(m))) {
      const answer = await creche.request(method, path.replace(/\{.*?\}/, '1'));

      assert.equal(checkError(answer).json.code, 'method_not_allowed', `${method} ${path}`);
      assert.deepEqual(answer.headers.allow.split(', ').filter((m) => m !== 'HEAD').sort(), declared.sort(), path);
      assert.equal(answer.headers.allow.includes('HEAD'), declared.includes('GET'), path);
    }
  }
});

test('a path that is not declared is answered with 404', async () => {
  for (const path of ['/', '/v1', '/v1/', '/v2/processes', '/v1/process', '/v1/processes/', '/v1/processes/0',
    '/v1/processes/-1', '/v1/processes/x', '/v1/processes/1x', '/v1/processes/99999999999999999999',
    '/v1/processes/1/nonsense', '/v1/processes//logs'])
    assert.equal(checkError(await creche.request('GET', path)).json.code, 'not_found', path);
});

test('what is wrong with the bytes of a request is answered as it is declared for any error', async () => {
  const wrong = {
    expectation_failed: { headers: { Expect: 'nothing' } },
    header_too_large: { headers: { 'X-Large': 'x'.repeat(32768) } },
  };

  for (const op of operations)
    for (const [code, options] of Object.entries(wrong)) {
      const answer = await creche.request(op.method, op.path.replace(/\{.*?\}/, '1'), options);

      assert.equal(checkError(answer).json.code, code, op.id);
    }
});

test('a large body that nobody asked for is answered as it is declared for any error', async () => {
  for (const op of operations.filter((o) => !o.limit && !Object.keys(o.content).length)) {
    const answer = await creche.request(op.method, op.path.replace(/\{.*?\}/, '1'), { body: 'x'.repeat(262145) });

    assert.equal(checkError(answer).json.code, 'too_large', op.id);
  }
});

test('HEAD is answered as GET is, without the body', async () => {
  for (const op of operations.filter((o) => o.method === 'GET' && o.id !== 'current_process' && o.id !== 'parent_process')) {
    const path = op.path.replace(`{${op.pathParameter}}`, op.pathParameter && await world.subject(op));
    const [get, head] = [await creche.request('GET', path), await creche.request('HEAD', path)];

    assert.equal(`${op.id} ${head.status} ${head.text}`, `${op.id} ${get.status} `);
    assert.equal(head.headers['content-type'], get.headers['content-type'], op.id);
    assert.equal(head.headers.etag, get.headers.etag, op.id);
  }
});

test('a body of just the declared limit is read', async () => {
  for (const op of operations.filter((o) => o.isJson)) {
    const body = '{"nonsense": 1'.padEnd(op.limit - 1) + '}';

    assert.equal(check(op, await world.call(op, { body })).json.code, 'invalid', op.id);
  }
});

test('without a token over TCP there is nothing but what is public', async () => {
  for (const op of operations) {
    const answer = check(op, await world.call(op, { tcp: true }));

    const wanted = !op.isPublic ? 401 : op.id === 'exchange_session' ? 403 : op.id.endsWith('_session') ? 401 : 200;

    assert.equal(`${op.id} ${answer.status}`, `${op.id} ${wanted}`);
  }
});

test('a process is as declared in each condition that a client can bring about', async () => {
  const seen = [];
  const see = (name, answer) => {
    const p = check(operation(name), answer).json;

    seen.push([name, p.state ?? p.process?.state, p.exitcode ?? p.process?.exitcode ?? null]);
    return p;
  };
  const call = (name, options) => world.call(operation(name), options);
  const { id } = see('create_process', await call('create_process',
    { json: { argv: ['sleep', '1000'], start: false, labels: { a: 'b' } } }));

  see('start_process', await call('start_process', { id }));
  see('get_process', await call('get_process', { id }));
  see('kill_process', await call('kill_process', { id }));
  see('join_process', await call('join_process', { id }));
  check(operation('close_process'), await call('close_process', { id }));
  see('get_process', await call('get_process', { id }));
  see('create_process', await call('create_process', { json: { argv: ['/nonesuch', { base64: '/w==' }] } }));
  assert.deepEqual(seen.filter(([name]) => name !== 'kill_process'), [
    ['create_process', 'initial', null], ['start_process', 'started', null], ['get_process', 'started', null],
    ['join_process', 'stopped', -9], ['get_process', 'closed', -9], ['create_process', 'failed', null]]);
});
