/* SPDX-License-Identifier: MIT */
/* The document, its operations, and whether an answer is one that it declares. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const path = new URL('../../api/openapi.json', import.meta.url);

export const document = JSON.parse(readFileSync(path, 'utf8'));

/* What any answer may carry: HTTP's own, and what server/reply says of each. */
const GENERAL = new Set(['connection', 'content-encoding', 'content-length', 'content-type', 'date',
  'transfer-encoding', 'vary', 'cache-control', 'x-content-type-options', 'referrer-policy',
  'cross-origin-resource-policy', 'cross-origin-opener-policy', 'content-security-policy']);

/* Schemas of the document as ajv shall see them: below $defs, where it looks for such. */
const HOME = 'urn:creche:schemas';

function absolute(schema) {
  return JSON.parse(JSON.stringify(schema), (key, value) =>
    key === '$ref' && typeof value === 'string' ? value.replace('#/components/schemas/', `${HOME}#/$defs/`) : value);
}

/* Clients are told to expect more members than they know in a problem; from this server, there are no more. */
function strictSchemas() {
  const schemas = absolute(document.components.schemas);

  schemas.Problem.additionalProperties = false;
  return schemas;
}

const ajv = new Ajv({ strict: true, allErrors: true, allowUnionTypes: true, strictTypes: false, strictRequired: false });

addFormats(ajv);
ajv.addSchema({ $id: HOME, $defs: strictSchemas() });

const compiled = new Map();

/* The function of ajv that tells whether a value is of the schema. */
export function validator(schema) {
  const key = JSON.stringify(schema);

  if (!compiled.has(key))
    compiled.set(key, ajv.compile(absolute(schema)));
  return compiled.get(key);
}

/* What is wrong with the value, in one line; '' when nothing is. */
export function complaints(schema, value) {
  const validate = validator(schema);

  return validate(value) ? '' : validate.errors.map((e) =>
    `${e.instancePath || '/'} ${e.message} ${JSON.stringify(e.params)}`).join('; ');
}

export function resolve(value) {
  if (!value?.$ref)
    return value;
  return resolve(value.$ref.slice(2).split('/').reduce((v, step) =>
    v[step.replaceAll('~1', '/').replaceAll('~0', '~')], document));
}

export function mediaType(value) {
  return (value ?? '').split(';')[0].trim();
}

export class Operation {
  constructor(path, method, json) {
    this.path = path;
    this.method = method.toUpperCase();
    this.id = json.operationId;
    this.json = json;
    this.parameters = (json.parameters ?? []).map(resolve);
    this.responses = Object.fromEntries(Object.entries(json.responses).map(([status, r]) => [status, resolve(r)]));
    this.content = resolve(json.requestBody)?.content ?? {};
    this.schema = this.content['application/json']?.schema;
    this.limit = json['x-creche-body-limit'];
  }

  get isPublic() {
    return this.json.security?.length === 0;
  }

  get isJson() {
    return this.schema !== undefined;
  }

  /* The first example of the body. */
  get example() {
    const [first] = Object.values(this.content['application/json']?.examples ?? {});

    return first && structuredClone(resolve(first).value);
  }

  get pathParameter() {
    return this.parameters.find((p) => p.in === 'path')?.name;
  }

  get query() {
    return this.parameters.filter((p) => p.in === 'query');
  }

  /* Each [status, code]: code is undefined where no problem is declared. */
  get outcomes() {
    return Object.entries(this.responses).filter(([status]) => status !== 'default').flatMap(([status, r]) =>
      (r['x-creche-codes'] ?? [undefined]).map((code) => [Number(status), code]));
  }
}

export const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, json]) => new Operation(path, method, json)));

export function operation(id) {
  return operations.find((o) => o.id === id) ?? assert.fail(`there is no operation ${id}`);
}

/* ------------------------------------------------------------------------------------------- answers */

function checkHeader(what, name, declared, value) {
  const { schema, required } = resolve(declared);

  if (value === undefined)
    assert.ok(!required, `${what}: the header ${name} is missing`);
  else
    for (const one of [value].flat()) // set-cookie is a list
      assert.equal(complaints(schema, schema.type === 'integer' ? Number(one) : one), '', `${what}: ${name}: ${one}`);
}

function checkHeaders(what, declared, headers) {
  const known = new Map(Object.entries(declared.headers ?? {}).map(([name, h]) => [name.toLowerCase(), h]));

  for (const name of Object.keys(headers))
    assert.ok(GENERAL.has(name) || known.has(name), `${what}: the header ${name} is not declared`);
  for (const [name, header] of known)
    checkHeader(what, name, header, headers[name]);
}

function checkProblem(what, declared, answer) {
  const { status, code, type } = answer.json;

  assert.equal(status, answer.status, what);
  assert.equal(type, `urn:creche:problem:${code}`, what);
  assert.ok(declared['x-creche-codes'].includes(code), `${what}: the code ${code} is not declared: ${answer.text}`);
}

function checkContent(what, declared, answer) {
  const type = mediaType(answer.headers['content-type']);

  if (!declared.content) {
    assert.equal(answer.text, '', `${what}: has a body`);
    assert.equal(type, '', `${what}: has a content type`);
    return;
  }
  assert.ok(declared.content[type], `${what}: the content type ${type} is not declared`);
  if (type.endsWith('json'))
    assert.equal(complaints(declared.content[type].schema, answer.json), '', `${what}: ${answer.text}`);
  if (type === 'application/problem+json')
    checkProblem(what, declared, answer);
}

/* The answer is one that the operation declares: status, headers, content type, body, code of the problem. */
export function check(op, answer) {
  const what = `${op.id}: ${answer.status}`;
  const declared = op.responses[answer.status];

  assert.ok(declared, `${what} is not declared: ${answer.text}`);
  checkHeaders(what, declared, answer.headers);
  checkContent(what, declared, answer);
  return answer;
}

/* The same for what is no operation: a path or a method that is not there. */
export function checkError(answer) {
  const declared = resolve(document.components.responses.Error);
  const what = `${answer.status}`;

  checkHeaders(what, declared, answer.headers);
  checkContent(what, declared, answer);
  return answer;
}
