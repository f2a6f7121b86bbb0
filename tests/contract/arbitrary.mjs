/* SPDX-License-Identifier: MIT */
/* From a schema of the document: values that are of it, and values that are not. */
import fc from 'fast-check';
import { resolve, validator } from './document.mjs';

const LONGEST = 6; /* items, members */

/* Where a pattern only says what must not be in it, anything else may; fast-check would stay with ASCII. */
const ANYTHING = /^\^(\/?)(\[\^[^\]]*\])[*+]\$$/;

function string({ pattern, format, minLength = 0, maxLength }) {
  const anything = pattern?.match(ANYTHING);

  if (format === 'date-time')
    return fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31T23:59:59Z') })
      .map((d) => d.toISOString());
  if (anything)
    return fc.string({ unit: 'binary', minLength }).filter((s) => new RegExp(`^${anything[2]}*$`, 'u').test(s))
      .map((s) => anything[1] + s);
  if (pattern)
    return fc.stringMatching(new RegExp(pattern, 'u'));
  return fc.string({ unit: 'binary', minLength, maxLength });
}

function number({ minimum, exclusiveMinimum, maximum }) {
  const real = { min: exclusiveMinimum ?? minimum, max: maximum, minExcluded: exclusiveMinimum !== undefined,
    noNaN: true, noDefaultInfinity: true };
  const least = Math.ceil(minimum ?? (exclusiveMinimum === undefined ? -1e6 : exclusiveMinimum + 1));

  return fc.oneof(fc.double(real), fc.integer({ min: least, max: Math.floor(maximum ?? 1e6) }));
}

/* The alternatives of an object: which of its members each one wants, and which it forbids. */
function alternatives({ oneOf, properties, required = [], ...rest }) {
  return oneOf.map((one) => ({ ...rest, required: [...required, ...one.required ?? []],
    properties: Object.fromEntries(Object.entries(properties).filter(([k]) => one.properties?.[k] !== false)) }));
}

function object({ properties, required = [], additionalProperties, propertyNames }) {
  if (properties)
    return fc.record(Object.fromEntries(Object.entries(properties).map(([k, s]) => [k, make(s)])),
      { requiredKeys: required });
  return fc.dictionary(make({ type: 'string', ...propertyNames }), make(additionalProperties), { maxKeys: LONGEST });
}

const MAKERS = {
  null: () => fc.constant(null),
  boolean: () => fc.boolean(),
  integer: ({ minimum = -1e6, maximum = Number.MAX_SAFE_INTEGER }) => fc.integer({ min: minimum, max: maximum }),
  number,
  string,
  array: ({ items, minItems = 0, maxItems = LONGEST }) =>
    fc.array(make(items), { minLength: minItems, maxLength: Math.min(maxItems, Math.max(minItems, LONGEST)) }),
  object,
};

/* What of a schema can be made directly; the rest is filtered away. */
function make(given) {
  const schema = { ...resolve(given) };
  const { oneOf, anyOf, type } = schema;

  if ('const' in schema)
    return fc.constant(schema.const);
  if (schema.enum)
    return fc.constantFrom(...schema.enum);
  if (oneOf && schema.properties)
    return fc.oneof(...alternatives(schema).map(make));
  if (oneOf ?? anyOf)
    return fc.oneof(...(oneOf ?? anyOf).map((s) => make({ ...(type && { type }), ...resolve(s) })));
  if (Array.isArray(type))
    return fc.oneof(...type.map((t) => make({ ...schema, type: t })));
  return MAKERS[type](schema);
}

export function valid(schema) {
  return make(schema).filter(validator(schema));
}

/* All places in a value, as the keys on the way to them. */
function places(value, way = []) {
  if (value === null || typeof value !== 'object')
    return [way];
  return [way, ...Object.entries(value).flatMap(([k, v]) => places(v, [...way, k]))];
}

/* The value with another one in one of its places; undefined takes the place away. */
function put(value, [key, ...rest], other) {
  if (key === undefined)
    return other;
  const copy = Array.isArray(value) ? [...value] : { ...value };

  copy[key] = put(copy[key], rest, other);
  return copy;
}

/* Values of the schema that were harmed in one place: they have a member too many, too few, or a wrong one. */
export function invalid(schema) {
  const validate = validator(schema);
  const harmed = fc.tuple(make(schema), fc.nat(), fc.oneof(fc.jsonValue(), fc.constant(undefined))).map(
    ([value, n, other]) => {
      const all = places(value);

      return put(value, all[n % all.length], other);
    });
  const more = fc.tuple(make(schema), fc.string({ unit: 'binary' }), fc.jsonValue()).map(
    ([value, key, other]) => ({ ...value, [key]: other }));

  /* As it is after its way through JSON. */
  return fc.oneof(harmed, more).map((v) => JSON.parse(JSON.stringify(v ?? null))).filter((v) => !validate(v));
}
