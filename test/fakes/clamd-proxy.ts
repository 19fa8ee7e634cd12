/** What stands in front of a real clamd: it counts connexions and messages, and can make everything late. */
export interface ClamdProxy {
  readonly port: number;
  /** Connexions so far, and those that are open now. */
  readonly opened: number;
  readonly open: number;
  /** The most messages that were given to clamd and not yet answered at one time. */
  readonly mostScanning: number;
  stop(): void;
}

interface Leg {
  other: Bun.Socket<Leg> | null;
  waiting: Buffer[];
  /** When what was sent last arrives. */
  dueAt: number;
}

const STREAM = Buffer.from("zINSTREAM\0");

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
  const scanning = new Set<Leg>();
  let mostScanning = 0;
  // A session has one command at a time, so each begins what is read at once.
  const noteRequest = (leg: Leg, bytes: Buffer): void => {
    if (!bytes.subarray(0, STREAM.length).equals(STREAM)) return;
    scanning.add(leg);
    mostScanning = Math.max(mostScanning, scanning.size);
  };
  const pass = (to: Bun.Socket<Leg>, bytes: Buffer): void => {
    to.data.waiting.push(bytes);
    flush(to);
  };
  const flush = (to: Bun.Socket<Leg>): void => {
    const all = Buffer.concat(to.data.waiting);
    const written = all.length === 0 ? 0 : Math.max(0, to.write(all));
    to.data.waiting = written < all.length ? [all.subarray(written)] : [];
  };
  const legOf = (late: number, far: boolean): Bun.SocketHandler<Leg> => ({
    data(from, bytes) {
      const copy = Buffer.from(bytes);
      const { other } = from.data;
      if (!far) noteRequest(from.data, copy);
      else if (other !== null) scanning.delete(other.data);
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
  const far = legOf(delay, true);
  const near: Bun.SocketHandler<Leg> = {
    ...legOf(0, false),
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
    get mostScanning() {
      return mostScanning;
    },
    stop: () => server.stop(true),
  };
}
