// Elements of the page, and text that is safe in them.

// What would change how the text around it looks: controls, marks of direction, and the like, as `record/src/escape.rs` has them.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

// Text of the traced program, made visible.
function printable(text) {
  return String(text).replace(HIDDEN, (letter) => {
    if (letter === '\n') return '\\n';
    if (letter === '\t') return '\\t';
    if (letter === '\r') return '\\r';
    return `\\u{${letter.codePointAt(0).toString(16)}}`;
  });
}

// A command line as a shell takes it.
function commandLine(words) {
  return printable(words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ') || '(no command)');
}

// An element. Of `attributes`, functions are listeners, and the rest is set as it is; children are elements and texts.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === 'function') made.addEventListener(key, value);
    else made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const byId = (id) => document.getElementById(id);

// The file of a path.
function fileName(path) {
  return path.slice(path.lastIndexOf('/') + 1) || path;
}

// What a process is called, as text: by its title, or else by the file of its executable.
function processName(process) {
  return printable(process.title ?? fileName(process.executable));
}

// A section of the page, with a heading and a remark beside it. One that is a function follows the process that is looked at.
function section(id, title, remark = '') {
  const small = remark ? element('small', {}) : null;
  const show = () => { small.textContent = typeof remark === 'function' ? remark() : remark; };
  if (small) show();
  if (typeof remark === 'function') watch(['process'], show);
  const made = element('section', { id, tabindex: '-1' }, element('h2', {}, title, small));
  byId('page').append(made);
  return made;
}

// A field to choose one of several values: pairs of a value and its text.
function choice(label, values, value, chosen) {
  const select = element('select', { change: () => chosen(select.value) });
  for (const [key, text] of values) select.append(element('option', { value: key }, text));
  select.value = value;
  const field = element('label', { class: 'choice' }, `${label} `, select);
  field.select = select;
  return field;
}

// Calls `make` when an element comes near to what is seen, or is to be printed.
function whenSeen(watched, make) {
  let isMade = false;
  const once = () => {
    if (isMade) return;
    isMade = true;
    observer.disconnect();
    make();
  };
  const observer = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) once();
  }, { rootMargin: '400px' });
  observer.observe(watched);
  window.addEventListener('beforeprint', once);
  return once;
}

// At most once in each picture that the browser draws.
function oncePerFrame(make) {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      make();
    });
  };
}
