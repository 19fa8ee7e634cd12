/**
 * The runtime takes open descriptors where it makes sockets, but its types do not say so (Bun 1.4: tried for
 * listening and for connected sockets of every family).
 */
declare module "bun" {
  interface DescriptorSocketOptions<Data = unknown> extends SocketOptions<Data> {
    /** A listening socket for `listen`, a connected one for `connect`; the runtime closes it. */
    fd: number;
  }
  function listen<Data = undefined>(options: DescriptorSocketOptions<Data>): SocketListener<Data>;
  function connect<Data = undefined>(options: DescriptorSocketOptions<Data>): Promise<Socket<Data>>;
}

export {};
