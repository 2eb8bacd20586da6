'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';
const color = Object.fromEntries(data.sources.map((s, n) => [s, data.colors[n % data.colors.length]]));
// At first what the student learns from, and what it learned.
const first = data.sources.filter(s => s === 'fused' || s === 'student');
const on = new Set(first.length ? first : data.sources);
let order = [], open = -1, zoom = 1;

const passes = box => (byId('class').value === '' || box[5] === Number(byId('class').value))
  && box[4] >= Number(byId('score').value);
const visible = picture => data.sources.filter(s => on.has(s))
  .flatMap(s => (picture.boxes[s] || []).filter(passes).map(box => [s, box]));

// Names go in as text nodes alone: a class may be called "<script>".
function overlay(picture, scale) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${picture.width} ${picture.height}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  const size = picture.width * scale;
  for (const [source, [x1, y1, x2, y2, score, label, ignored]] of visible(picture)) {
    const rect = document.createElementNS(SVG, 'rect');
    for (const [k, v] of Object.entries({x: x1, y: y1, width: x2 - x1, height: y2 - y1, stroke: color[source]}))
      rect.setAttribute(k, v);
    if (ignored) rect.classList.add('ignored');
    const title = document.createElementNS(SVG, 'title');
    title.textContent = `${source}: ${data.classes[label]} ${score.toFixed(2)}${ignored ? ' (ignored)' : ''}`;
    rect.append(title);
    const text = document.createElementNS(SVG, 'text');
    text.textContent = `${data.classes[label]} ${score.toFixed(2)}`;
    // A name that would leave the picture on the right ends where its box does.
    const width = text.textContent.length * size * .65;
    const right = x1 + width > picture.width && x1 + x2 > picture.width;
    text.setAttribute('x', right ? x2 - size / 4 : x1 + size / 4);
    text.setAttribute('text-anchor', right ? 'end' : 'start');
    // Of two sources that agree, one is named above its box and one below.
    const below = data.sources.indexOf(source) % 2 && y2 + size < picture.height;
    text.setAttribute('y', below ? y2 + size : Math.max(y1 - size / 4, size));
    text.setAttribute('font-size', size);
    svg.append(rect, text);
  }
  return svg;
}

function framed(picture, scale) {
  const frame = document.createElement('div');
  frame.className = 'picture';
  frame.style.aspectRatio = `${picture.width} / ${picture.height}`;
  const img = document.createElement('img');
  img.src = `data:image/jpeg;base64,${picture.jpeg}`;
  img.alt = picture.key;
  frame.append(img, overlay(picture, scale));
  return frame;
}

// A picture is decoded when it comes near the window.
const near = new IntersectionObserver(entries => entries.forEach(entry => {
  if (!entry.isIntersecting) return;
  near.unobserve(entry.target);
  const picture = data.pictures[Number(entry.target.dataset.row)];
  entry.target.firstChild.replaceWith(framed(picture, 0.055));
}), {rootMargin: '400px'});

function tile(row) {
  const picture = data.pictures[row], button = document.createElement('button');
  button.type = 'button'; button.className = 'tile'; button.dataset.row = row;
  const holder = document.createElement('div');
  holder.style.aspectRatio = `${picture.width} / ${picture.height}`;
  const name = document.createElement('p');
  name.textContent = picture.key;
  name.title = `disagreement ${picture.disagreement.toFixed(2)}, ${picture.misses} likely misses, ${picture.doubtful} likely wrong`;
  button.append(holder, name);
  button.addEventListener('click', () => show(order.indexOf(row)));
  near.observe(button);
  return button;
}

function draw() {
  const key = byId('order').value, label = byId('class').value;
  order = [...data.pictures.keys()].filter(row => label === ''
    || data.sources.some(s => on.has(s) && (data.pictures[row].boxes[s] || []).some(passes)));
  const of = row => data.pictures[row];
  order.sort((a, b) => key === 'key' ? (of(a).key < of(b).key ? -1 : 1) : of(b)[key] - of(a)[key] || a - b);
  near.disconnect();
  byId('grid').replaceChildren(...order.map(tile));
  byId('count').textContent = `${order.length} of ${data.pictures.length} pictures`;
  byId('shown-score').textContent = Number(byId('score').value).toFixed(2);
  if (open >= 0) show(Math.min(open, order.length - 1));
}

function show(position) {
  open = position;
  if (position < 0) { byId('large').close(); return; }
  const picture = data.pictures[order[position]], frame = framed(picture, 0.022);
  const box = byId('stage');
  if (!byId('large').open) byId('large').showModal();
  const fit = Math.min(box.clientWidth / picture.width, box.clientHeight / picture.height);
  frame.style.width = `${picture.width * fit * zoom}px`;
  box.replaceChildren(frame);
  byId('name').textContent = `${picture.key} (${position + 1} of ${order.length}) `;
}

function toggle(number) {
  const source = data.sources[number];
  if (source === undefined) return;
  on.has(source) ? on.delete(source) : on.add(source);
  byId('sources').children[number].setAttribute('aria-pressed', on.has(source));
  draw();
}

data.sources.forEach((source, number) => {
  const button = document.createElement('button');
  button.type = 'button'; button.textContent = source;
  button.style.setProperty('--mark', color[source]);
  button.setAttribute('aria-pressed', on.has(source));
  button.addEventListener('click', () => toggle(number));
  byId('sources').append(button);
});
data.classes.forEach((name, number) => {
  const option = document.createElement('option');
  option.value = number; option.textContent = name;
  byId('class').append(option);
});
for (const id of ['class', 'order', 'score']) byId(id).addEventListener('input', draw);
byId('controls').addEventListener('submit', event => event.preventDefault());
byId('large').addEventListener('close', () => { open = -1; zoom = 1; });
byId('stage').addEventListener('wheel', event => {
  event.preventDefault();
  zoom = Math.min(8, Math.max(1, zoom * (event.deltaY < 0 ? 1.2 : 1 / 1.2)));
  show(open);
}, {passive: false});
document.addEventListener('keydown', event => {
  if (open >= 0) {
    if (event.key === 'ArrowRight') show((open + 1) % order.length);
    if (event.key === 'ArrowLeft') show((open + order.length - 1) % order.length);
    if (event.key === '+') { zoom = Math.min(8, zoom * 1.25); show(open); }
    if (event.key === '-') { zoom = Math.max(1, zoom / 1.25); show(open); }
  }
  if (/^[1-9]$/.test(event.key) && !/^(INPUT|SELECT)$/.test(event.target.tagName)) toggle(Number(event.key) - 1);
});
byId('theme').addEventListener('click', () => {
  const root = document.documentElement, dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const now = root.dataset.theme || (dark ? 'dark' : 'light');
  root.dataset.theme = now === 'dark' ? 'light' : 'dark';
});
draw();
