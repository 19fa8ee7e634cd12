/**
 * The order in which targets take their turn: each round begins with another one, and every second one goes backwards,
 * so that neither a place in the order nor a machine that grows slower or faster favours anybody.
 */
export function orderOf<T>(targets: readonly T[], round: number): T[] {
  const start = targets.length === 0 ? 0 : round % targets.length;
  const order = [...targets.slice(start), ...targets.slice(0, start)];
  return round % 2 === 0 ? order : order.reverse();
}
