/* SPDX-License-Identifier: MIT */
/* The page /docs: signs in with the code of a link, says who is signed in, and shows the contract. */
'use strict';

const CODE = /^#code=([0-9a-f]+)$/;

const element = id => document.getElementById(id);

/* No cache has what is asked with a cookie, and nothing leads elsewhere. */
const ask = (method, path, body) => fetch(path, {
  method,
  cache: 'no-store',
  credentials: 'same-origin',
  redirect: 'error',
  headers: body ? { 'Content-Type': 'application/json' } : {},
  body: body && JSON.stringify(body),
});

/* What the server says is text, never markup. */
function say(text, session) {
  element('state').textContent = text;
  element('sign-out').hidden = !session;
  element('help').hidden = session;
}

/* The code, which is taken from the address bar and from the history before anything else is done. */
function takeCode() {
  const code = CODE.exec(location.hash)?.[1];

  if (code)
    history.replaceState(null, '', location.pathname);
  return code;
}

/* Requests go to where this page is from: the document cannot know that. */
function show(spec) {
  window.SwaggerUIBundle?.({
    spec: { ...spec, servers: [{ url: location.origin }] },
    dom_id: '#docs',
    deepLinking: true,
    validatorUrl: null,
    queryConfigEnabled: false,
    persistAuthorization: false,
  });
}

async function begin() {
  const code = takeCode();
  let answer = code ? await ask('POST', '/v1/sessions/exchange', { code }) : await ask('GET', '/v1/sessions/current');
  const session = await answer.json();

  if (!answer.ok) {
    say(code ? `Not signed in: ${session.detail}.` : 'Not signed in.', false);
    return;
  }
  say(`Signed in: ${session.who} (${session.scopes.join(', ')}), until ${session.expires_at}`, true);
  answer = await ask('GET', '/openapi.json');
  if (answer.ok)
    show(await answer.json());
  else
    say(`${element('state').textContent}. The contract needs the scope read.`, true);
}

async function end() {
  await ask('DELETE', '/v1/sessions/current');
  location.reload();
}

const failed = e => say(`The server cannot be reached: ${e.message}`, false);

element('sign-out').addEventListener('click', () => end().catch(failed));
/* A link that is opened where this page is already. */
addEventListener('hashchange', () => CODE.test(location.hash) && begin().catch(failed));
begin().catch(failed);
