/** Rows of text in columns of one width each, the first flush left, numbers flush right. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number): number => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0));
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) => width(column));
  const cell = (text: string, column: number): string => {
    const room = widths[column] ?? 0;
    return column === 0 ? text.padEnd(room) : text.padStart(room);
  };
  return rows.map((row) => row.map(cell).join("  ").trimEnd());
}

/** A number with about three digits that count; `-` for none. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  return size >= 10 ? value.toFixed(1) : value.toFixed(2);
}
