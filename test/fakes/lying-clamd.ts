import type { Socket } from "bun";

/** A stand-in that is reached in place of a real clamd, and passes everything on. */
export interface LyingClamd {
  /** From now on everything that is found is answered as clean, or as it is again. */
  lie(lies: boolean): void;
  stop(): void;
}

type Address = { readonly hostname: string; readonly port: number };

interface Pair {
  other: Socket<Pair> | null;
  /** What came before the other end was there, or does not fit into it. */
  waiting: Buffer;
}

/** Puts itself in front of a clamd on TCP. */
export function startLyingClamd(own: Address, real: Address): LyingClamd {
  let lies = false;
  const send = (to: Socket<Pair> | null, keeper: Pair, bytes: Uint8Array): void => {
    keeper.waiting = Buffer.concat([keeper.waiting, bytes]);
    if (to === null) return;
    keeper.waiting = keeper.waiting.subarray(Math.max(0, to.write(keeper.waiting)));
  };
  const server = Bun.listen<Pair>({
    ...own,
    socket: {
      open(near) {
        near.data = { other: null, waiting: Buffer.alloc(0) };
        void Bun.connect<Pair>({
          ...real,
          data: { other: near, waiting: Buffer.alloc(0) },
          socket: {
            open(far) {
              near.data.other = far;
              send(far, near.data, new Uint8Array(0));
            },
            data(far, bytes) {
              const said = Buffer.from(bytes).toString("latin1");
              const told = lies ? said.replaceAll(/stream: [^\0]* FOUND/g, "stream: OK") : said;
              send(near, far.data, Buffer.from(told, "latin1"));
            },
            drain: (far) => send(far, near.data, new Uint8Array(0)),
            close: () => void near.end(),
            error: () => void near.end(),
          },
        }).catch(() => near.terminate());
      },
      data: (near, bytes) => send(near.data.other, near.data, bytes),
      drain(near) {
        const { other } = near.data;
        if (other !== null) send(near, other.data, new Uint8Array(0));
      },
      close: (near) => void near.data.other?.end(),
      error: (near) => void near.data.other?.end(),
    },
  });
  return {
    lie: (wanted) => {
      lies = wanted;
    },
    stop: () => server.stop(true),
  };
}
