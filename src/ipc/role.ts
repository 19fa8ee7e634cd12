/**
 * How a process of this program is told what it is. The words stand where a socket address would; none looks like
 * them.
 */
export const ROLES = {
  supervisor: "@supervisor",
  child: "@child",
  keeper: "@keeper",
  engine: "@engine",
} as const;

export type RoleName = keyof typeof ROLES;

/** The descriptor of a role's channel to whoever started it. */
export const CHANNEL_FD = 3;
/** The descriptor by which descriptors are passed to a role. */
export const PASSING_FD = 4;
/** The first of a child's listening sockets. */
export const FIRST_LISTENER_FD = 5;
