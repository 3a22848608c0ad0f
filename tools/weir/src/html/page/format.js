// Numbers for people, as `units.rs` writes them.

const NONE = '–';

function scaled(number, step, units) {
  if (number < step) return `${Math.round(number)} ${units[0]}`;
  let value = number;
  let unit = 0;
  while (unit + 1 < units.length && value >= step - 0.5) {
    value /= step;
    unit += 1;
  }
  const decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(decimals)} ${units[unit]}`;
}

function signed(number, show) {
  return number < 0 ? `-${show(-number)}` : show(number);
}

function count(number) {
  return signed(number, (size) => String(Math.round(size)).replace(/\B(?=(\d{3})+$)/g, ','));
}

function bytes(number) {
  return signed(number, (size) => scaled(size, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB']));
}

function time(ns) {
  return signed(ns, (size) => {
    const seconds = Math.floor(size / 1e9);
    const two = (number) => String(number).padStart(2, '0');
    if (seconds < 600) return scaled(size, 1000, ['ns', 'µs', 'ms', 's']);
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
    return `${count(Math.floor(seconds / 3600))} h ${two(Math.floor(seconds / 60) % 60)} min`;
  });
}

function share(part, whole) {
  if (!whole) return NONE;
  const percent = (part * 100) / whole;
  if (percent === 0) return '0 %';
  if (percent < 0.1) return '<0.1 %';
  if (percent < 99.95) return `${percent.toFixed(1)} %`;
  return part < whole ? '>99.9 %' : `${percent.toFixed(0)} %`;
}

// A number for an axis: `1.50 M`.
function compact(number) {
  return number < 1000 ? String(number) : scaled(number, 1000, ['', 'k', 'M', 'G', 'T', 'P', 'E']);
}

const SHOWN = { bytes, count, time };

// `3 calls`
function counted(number, one, many) {
  return `${count(number)} ${number === 1 ? one : many}`;
}
