// What processes have at a time, as the points of their timelines say.

const COLUMNS = 300;

// Numbers of a point.
const LIVE = (point) => point.live_bytes;
const RESIDENT = (point) => point.usage?.resident_bytes ?? null;
const THREADS = (point) => point.threads ?? null;

// Evenly spaced times.
function evenly(from, to) {
  return Array.from({ length: COLUMNS + 1 }, (_, column) => from + ((to - from) * column) / COLUMNS);
}

// The first of these times that may be of something that began then.
function columnOf(offset, at) {
  return Math.max(0, Math.floor((offset - at[0]) / (at[1] - at[0])));
}

// The first point after a time, which is not that of the first.
function firstAfter(points, since) {
  let low = 1;
  let high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle].at_ns > since) high = middle;
    else low = middle + 1;
  }
  return low;
}

// What a process had at a time: as the last point says that knows it; nothing before its start and after its end.
function levelAt(process, offset, value, at, width) {
  const { points } = process.timeline;
  const since = at - offset;
  // The end of a process is in the column that it is in, and not only where a column begins.
  if (since < 0 || since >= process.duration_ns + width) return null;
  const last = points.length - 1;
  let point = since >= points[last].at_ns ? last : firstAfter(points, since) - 1;
  while (point >= 0 && value(points[point]) === null) point -= 1;
  return point < 0 ? null : value(points[point]);
}

// Sums over images of what each has at these times; null where none has anything.
function levelsAt(images, at, value) {
  const made = at.map(() => null);
  for (const { process, offset } of images) {
    for (let column = columnOf(offset, at); column < at.length; column += 1) {
      const level = levelAt(process, offset, value, at[column], at[1] - at[0]);
      if (level !== null) made[column] = (made[column] ?? 0) + level;
    }
  }
  return made;
}
