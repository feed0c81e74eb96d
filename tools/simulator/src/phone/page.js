// The phone of the simulator. It asks the server once a second what there is to show, and shows it.

const POLL_MS = 1000;

const at = (id) => document.getElementById(id);
const own = at('own');
own.value = localStorage.getItem('phone') ?? '254700000001';

let shownPrompt = null;
let shown = '';

function show(id, text, hasFailed = false) {
  at(id).textContent = text;
  at(id).classList.toggle('failed', hasFailed);
}

async function call(path, fields) {
  const response = await fetch(path, {
    method: 'POST',
    body: JSON.stringify({ phone: own.value, ...fields }),
  });
  return response.json();
}

/** Sends what a form says, and shows beside it what came of it. */
async function send(notice, path, fields) {
  show(notice, 'Sending …');
  try {
    const { said, isRefused = false } = await call(path, fields);
    show(notice, said, isRefused);
  } catch {
    show(notice, 'The simulator does not answer. Does dev still run?', true);
  }
  await refresh();
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.textContent = text;
  return made;
}

function showPrompt(prompt) {
  const id = prompt?.id ?? null;
  if (id === shownPrompt) return;
  shownPrompt = id;
  at('prompt').hidden = id === null;
  at('pay').hidden = id !== null;
  at('pin').value = '';
  const question =
    id === null ? '' : `Pay KES ${prompt.amount} to ${prompt.name}, account ${prompt.reference}?`;
  at('question').textContent = question;
  // What was said before belongs to another payment.
  if (id !== null) show('notice', '');
  at('ring').textContent = id === null ? '' : 'A request for a payment has come.';
  document.title = `${id === null ? '' : '(1) '}A phone with M-PESA (simulated)`;
}

function eventItem({ what, hasFailed, lines }) {
  const item = element('li', '', '');
  item.append(element('p', hasFailed ? 'what failed' : 'what', what));
  const list = element('ul', '', '');
  list.append(...lines.map((line) => element('li', '', line)));
  if (lines.length > 0) item.append(list);
  return item;
}

/** Lists are made again only when they changed, so that readers of the screen hear what is new and nothing else. */
function showLists({ events, messages, endings, shortCode }) {
  const text = JSON.stringify([events, messages]);
  if (text === shown) return;
  shown = text;
  at('business').value = shortCode;
  if (at('ending').options.length === 0)
    at('ending').append(...endings.map((name) => new Option(name, name)));
  at('events').replaceChildren(...events.map(eventItem));
  at('messages').replaceChildren(...messages.map((message) => element('li', '', message)));
  at('no-events').hidden = events.length > 0;
  at('no-messages').hidden = messages.length > 0;
}

async function refresh() {
  const response = await fetch(`/phone/state?phone=${encodeURIComponent(own.value)}`);
  if (!response.ok) return;
  const state = await response.json();
  showPrompt(state.prompt);
  showLists(state);
}

async function keepRefreshing() {
  await refresh().catch(() => undefined);
  setTimeout(() => void keepRefreshing(), POLL_MS);
}

function onSubmit(id, handle) {
  at(id).addEventListener('submit', (event) => {
    event.preventDefault();
    void handle();
  });
}

onSubmit('pay', () =>
  send('notice', '/phone/pay', { account: at('account').value, amount: at('amount').value }),
);
onSubmit('prompt', () => send('notice', '/phone/answer', { pin: at('pin').value }));
onSubmit('ask', () =>
  send('asked-notice', '/phone/ask', { account: at('wallet').value, amount: at('asked').value }),
);
for (const button of document.querySelectorAll('[data-answer]')) {
  button.addEventListener(
    'click',
    () => void send('notice', '/phone/answer', { outcome: button.dataset.answer }),
  );
}
at('end').addEventListener(
  'click',
  () => void send('notice', '/phone/answer', { outcome: at('ending').value }),
);
own.addEventListener('change', () => {
  localStorage.setItem('phone', own.value);
  void refresh();
});
void keepRefreshing();
