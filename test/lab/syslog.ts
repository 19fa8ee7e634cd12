import { createServer, type Socket } from "node:net";

/** A private end of syslog. */
export interface Syslog {
  /** Path of its unix socket, to be put in the place of /dev/log. */
  readonly path: string;
  /** Everything that was logged, one message a line. */
  text(): string;
  /** Closes it; more than once does no harm. */
  stop(): Promise<void>;
}

/**
 * Shell text for a private mount namespace: /dev gets the few devices a mail server needs, and `$2` as its log, so
 * that nothing goes to the host's own logs. `$1` is an empty folder.
 */
export const PRIVATE_DEV = `mount -t tmpfs -o mode=755 none "$1"
for name in null zero full random urandom tty; do
  touch "$1/$name"
  mount --bind "/dev/$name" "$1/$name"
done
ln -s /proc/self/fd "$1/fd"
touch "$1/log"
mount --bind "$2" "$1/log"
mount --rbind "$1" /dev`;

/**
 * Listens for the messages of syslog(3). The C library first tries a datagram socket, and a stream when it finds
 * one, with a NUL after each message.
 */
export async function startSyslog(path: string): Promise<Syslog> {
  const sockets = new Set<Socket>();
  let text = "";
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("data", (data: Buffer) => {
      text += data.toString("latin1").replaceAll("\0", "\n");
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  let stopped = false;
  return {
    path,
    text: () => text,
    stop: async () => {
      if (stopped) return;
      stopped = true;
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
