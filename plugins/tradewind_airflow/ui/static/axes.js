// Round numbers along an axis, and where a value falls.

/** From `low` to `high` at about `wanted` round steps: 1, 2 or 5 times a power of ten. */
export function roundTicks(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) {
    const value = at * step;
    ticks.push({ value, text: Math.abs(value) >= 1e5 ? value.toExponential(0) : value.toFixed(places) });
  }
  return ticks;
}

/** The values' range with some room; never flat. */
export function rangeOf(values) {
  let low = Infinity,
    high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  const room = Math.max((high - low) * 0.06, Math.abs(high) * 0.01, 1e-6);
  return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
}

/** `at(value)` in pixels, linear between two ends. */
export function scale([low, high], [from, to]) {
  const by = high === low ? 0 : (to - from) / (high - low);
  return (value) => (high === low ? (from + to) / 2 : from + (value - low) * by);
}
