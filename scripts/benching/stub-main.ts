/**
 * A stand-in for clamd that finds everything clean at once: what is measured in front of it is the filter alone. The
 * path of its unix socket stands on the command line, behind it a port of 127.0.0.1.
 */
import { Epoll } from "../../src/os/epoll.ts";
import {
  AF_INET,
  AF_UNIX,
  bindSocket,
  closeDescriptor,
  listenSocket,
  reuseAddress,
  streamSocket,
} from "../../src/os/libc.ts";
import { inetAddress, unixAddress } from "../../src/os/sockaddr.ts";
import { acceptConnexion, Receiver, sendAnswer } from "../../src/os/stream-calls.ts";
import { StubSession } from "./stub-session.ts";

const ROOM = 1 << 18;
const BACKLOG = 1024;

const [path = "", port = "0"] = process.argv.slice(2);
const epoll = new Epoll();
const receiver = new Receiver(ROOM);
const sessions = new Map<number, StubSession>();

function listener(family: number, address: Uint8Array): number {
  const fd = streamSocket(family, true);
  if (family === AF_INET) reuseAddress(fd);
  bindSocket(fd, address);
  listenSocket(fd, BACKLOG);
  epoll.add(fd);
  return fd;
}

function serve(fd: number, session: StubSession): boolean {
  const came = receiver.receive(fd);
  if (came === null) return true;
  for (const descriptor of came.descriptors) closeDescriptor(descriptor);
  if (came.bytes.length === 0) return false;
  const { answer, over } = session.take(came.bytes);
  const sent = answer === "" || sendAnswer(fd, Buffer.from(answer, "latin1"));
  return sent && !over;
}

function attend(fd: number, session: StubSession): void {
  let goesOn = false;
  try {
    goesOn = serve(fd, session);
  } catch {
    // The filter has dropped the connexion.
  }
  if (goesOn) return;
  sessions.delete(fd);
  epoll.remove(fd);
  closeDescriptor(fd);
}

const listeners = [
  listener(AF_UNIX, unixAddress(path)),
  listener(AF_INET, inetAddress("127.0.0.1", Number(port)).bytes),
];
for (;;) {
  for (const fd of epoll.wait(1000)) {
    const session = sessions.get(fd);
    if (session !== undefined) attend(fd, session);
    else if (listeners.includes(fd)) {
      for (let fresh = acceptConnexion(fd); fresh !== null; fresh = acceptConnexion(fd)) {
        sessions.set(fresh, new StubSession());
        epoll.add(fresh);
      }
    }
  }
}
