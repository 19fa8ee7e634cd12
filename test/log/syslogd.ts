import { dlopen, FFIType, ptr } from "bun:ffi";
import { unlinkSync } from "node:fs";
import { bindSocket, closeDescriptor } from "../../src/os/libc.ts";
import { datagramSocket } from "../../src/os/log-calls.ts";
import { unixAddress } from "../../src/os/sockaddr.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // ssize_t recv(int sockfd, void *buf, size_t len, int flags);
  recv: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i64_fast },
});

/** A stand-in for syslogd on a real datagram socket. It reads only when it is told to. */
export interface Syslogd {
  /** The messages that have arrived since it last looked. */
  read(): string[];
  /** Ends, as syslogd does: its socket file goes, too. */
  stop(): void;
}

const ROOM = 64 * 1024;

export function startSyslogd(path: string): Syslogd {
  const fd = datagramSocket();
  bindSocket(fd, unixAddress(path));
  const buffer = Buffer.alloc(ROOM);
  let open = true;
  return {
    read() {
      const messages: string[] = [];
      for (;;) {
        const length = Number(libc.recv(fd, ptr(buffer), ROOM, 0));
        if (length < 0) return messages;
        messages.push(buffer.toString("utf8", 0, length));
      }
    },
    stop() {
      if (!open) return;
      open = false;
      closeDescriptor(fd);
      unlinkSync(path);
    },
  };
}
