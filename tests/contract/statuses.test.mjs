/* SPDX-License-Identifier: MIT */
/* Each answer that the document declares is given, and is as it is declared. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { openSync, writeSync, closeSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { check, operations } from './document.mjs';
import { ELSEWHERE, ON_OTHERS, World, optionsOnOther, recipe } from './recipes.mjs';
import { Creche, until } from './server.mjs';

/* ------------------------------------------------------------------------------------------ the servers */

/* A creched that cannot open its database any more: it says so, to everybody. */
async function outage() {
  const creche = await Creche.start();
  const version = creche.sql('PRAGMA user_version');
  const is = (status) => async () => (await creche.request('GET', '/readyz')).status === status;

  creche.initial = 1;
  await creche.killDaemon(() => creche.sql('PRAGMA user_version = 999'));
  await until(is(503), 'the database is refused');
  creche.mend = async () => {
    creche.sql(`PRAGMA user_version = ${version}`);
    await until(is(200), 'the database is taken');
  };
  return creche;
}

function canMount(command) {
  try {
    execFileSync(command[0], [...command.slice(1), 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/* In a mount namespace of its own, which goes with its last process. */
const NAMESPACES = [['unshare', '--mount'], ['unshare', '--user', '--map-root-user', '--mount']];
const namespace = NAMESPACES.find(canMount);

/* A creched whose disk is full. */
async function full() {
  const creche = await Creche.start({ under: [...namespace, 'sh', '-c',
    'mkdir -m 700 "$0" && mount -t tmpfs -o size=40m,mode=700 tmpfs "$0" && exec "$@"', '{}'] });

  creche.initial = await new World(creche).created();
  const hog = openSync(creche.path('hog'), 'w');

  for (const size of [65536, 512])
    try {
      for (;;)
        writeSync(hog, Buffer.alloc(size));
    } catch (e) {
      assert.equal(e.code, 'ENOSPC');
    }
  closeSync(hog);
  creche.mend = async () => rmSync(creche.path('hog'));
  return creche;
}

/* A creched whose operator waits as often as he may. */
async function crowded() {
  const creche = await Creche.start({ options: ['--max-caller-parked', '1'] });

  creche.initial = await new World(creche).running({ stdin: 'pipe' });
  const join = async () => creche.request('POST', `/v1/processes/${creche.initial}/join`);
  const waiting = (async () => {
    while ((await join()).status === 429)
      ; /* whoever looks whether somebody waits has come first */
  })();

  await until(async () => (await creche.request('GET', `/v1/processes/${creche.initial}?wait=0.001`)).status === 429,
    'somebody waits');
  creche.mend = async () => {
    await creche.endJobs();
    await waiting;
  };
  return creche;
}

const start = { main: Creche.start, outage, full, crowded };
const servers = {};

async function world(name) {
  servers[name] ??= start[name]().then((creche) => new World(creche));
  return servers[name];
}

after(async () => {
  for (const one of Object.values(servers)) {
    const { creche } = await one;

    await creche.mend?.();
    await creche.stop();
  }
});

/* -------------------------------------------------------------------------------------------- the tests */

async function askOther(name, op) {
  const there = await world(name);
  const id = there.creche.initial;

  return there.call(op, { id, ...optionsOnOther(name, op, id) });
}

for (const op of operations)
  for (const [status, code] of op.outcomes.filter(([, c]) => !(c in ELSEWHERE))) {
    const make = recipe(op, status, code);
    const other = ON_OTHERS[code];
    const skip = other === 'full' && !namespace && 'neither root nor user namespaces: no disk can be filled';

    test(`${op.id} ${status} ${code ?? ''}`.trim(), { skip }, async () => {
      assert.ok(make || other, 'nobody knows how to get this answer: recipes.mjs');
      const answer = check(op, make ? await make(await world('main'), op) : await askOther(other, op));

      const given = answer.status < 400 ? '' : answer.json.code;

      assert.equal(`${answer.status} ${given}`, `${status} ${code ?? ''}`, answer.text);
    });
  }

test('each declared status is among those tried', () => {
  for (const op of operations)
    for (const [status] of op.outcomes)
      assert.ok(op.outcomes.some(([s, code]) => s === status && !(code in ELSEWHERE)), `${op.id} ${status}`);
});
