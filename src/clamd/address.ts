/** One clamd. `name` is its text for logs: `unix:/run/clamd.ctl`, `192.0.2.1:3310`, `[2001:db8::1]:3310`. */
export type ServerAddress =
  | { readonly kind: "unix"; readonly path: string; readonly name: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly name: string };
