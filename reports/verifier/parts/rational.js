// Exact numbers: a quotient of two BigInts, the lower one above 0. No float comes near them.

const GROWN = 1n << 512n; // a larger denominator is first cleared of common divisors

/** A quotient by 0, or a term that a row does not state: the value that needs it does not exist. */
class NoValue extends Error {}

function ratio(above, below = 1n) {
  if (below < GROWN) return { above, below };
  let [a, b] = [above < 0n ? -above : above, below];
  while (b > 0n) [a, b] = [b, a % b];
  return { above: above / a, below: below / a };
}

/** Return the value of a decimal string. */
function decimalRatio(text) {
  const point = text.indexOf(".");
  if (point < 0) return ratio(BigInt(text));
  return ratio(BigInt(text.slice(0, point) + text.slice(point + 1)), 10n ** BigInt(text.length - point - 1));
}

function plus(a, b) {
  if (a.below === b.below) return ratio(a.above + b.above, a.below);
  return ratio(a.above * b.below + b.above * a.below, a.below * b.below);
}

function minus(a, b) {
  return plus(a, ratio(-b.above, b.below));
}

function times(...factors) {
  return factors.reduce((a, b) => ratio(a.above * b.above, a.below * b.below));
}

/** Return a / b; throw NoValue where b is 0. */
function over(a, b) {
  if (b.above === 0n) throw new NoValue("a quotient by 0");
  const sign = b.above < 0n ? -1n : 1n;
  return ratio(sign * a.above * b.below, sign * b.above * a.below);
}

function absolute(a) {
  return a.above < 0n ? ratio(-a.above, a.below) : a;
}

function isLess(a, b) {
  return a.above * b.below < b.above * a.below;
}

function smaller(a, b) {
  return isLess(b, a) ? b : a;
}

function larger(a, b) {
  return isLess(a, b) ? b : a;
}

/** Return the value in whole millionths, half-even. */
function inMillionths(a) {
  const above = 1000000n * a.above;
  let whole = above / a.below;
  if (above < 0n && whole * a.below !== above) whole -= 1n; // BigInt divides towards 0
  const twice = 2n * (above - whole * a.below);
  return twice > a.below || (twice === a.below && whole % 2n !== 0n) ? whole + 1n : whole;
}
