/** What stands in front of a real clamd: it counts connexions, and can make everything late. */
export interface ClamdProxy {
  readonly port: number;
  /** Connexions so far, and those that are open now. */
  readonly opened: number;
  readonly open: number;
  stop(): void;
}

interface Leg {
  other: Bun.Socket<Leg> | null;
  waiting: Buffer[];
  /** When what was sent last arrives. */
  dueAt: number;
}

export interface ProxyPlan {
  readonly hostname: string;
  readonly port: number;
  /** Where the real one listens. */
  readonly target: { readonly hostname: string; readonly port: number };
  /** Milliseconds by which each answer is late; 0 unless told. */
  readonly delay?: number;
}

/** Starts a proxy. Both legs pass on bytes in their order; those from clamd come late. */
export function startClamdProxy({ hostname, port, target, delay = 0 }: ProxyPlan): ClamdProxy {
  let opened = 0;
  let open = 0;
  const pass = (to: Bun.Socket<Leg>, bytes: Buffer): void => {
    to.data.waiting.push(bytes);
    flush(to);
  };
  const flush = (to: Bun.Socket<Leg>): void => {
    const all = Buffer.concat(to.data.waiting);
    const written = all.length === 0 ? 0 : Math.max(0, to.write(all));
    to.data.waiting = written < all.length ? [all.subarray(written)] : [];
  };
  const legOf = (late: number): Bun.SocketHandler<Leg> => ({
    data(from, bytes) {
      const copy = Buffer.from(bytes);
      const { other } = from.data;
      if (other === null) from.data.waiting.push(copy);
      else if (late === 0) pass(other, copy);
      else {
        from.data.dueAt = Math.max(from.data.dueAt, performance.now() + late);
        setTimeout(() => pass(other, copy), from.data.dueAt - performance.now());
      }
    },
    drain: flush,
    close: (from) => {
      from.data.other?.end();
    },
    error: (from) => {
      from.data.other?.terminate();
    },
  });
  const far = legOf(delay);
  const near: Bun.SocketHandler<Leg> = {
    ...legOf(0),
    async open(client) {
      opened++;
      open++;
      client.data = { other: null, waiting: [], dueAt: 0 };
      try {
        const data: Leg = { other: client, waiting: client.data.waiting, dueAt: 0 };
        const server = await Bun.connect<Leg>({ ...target, data, socket: far });
        client.data.waiting = [];
        client.data.other = server;
        flush(server);
      } catch {
        client.terminate();
      }
    },
    close(client) {
      open--;
      client.data.other?.end();
    },
  };
  const server = Bun.listen<Leg>({ hostname, port, socket: near });
  return {
    port,
    get opened() {
      return opened;
    },
    get open() {
      return open;
    },
    stop: () => server.stop(true),
  };
}
