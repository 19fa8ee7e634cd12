/** The word on the command line that makes a process a child. No socket address looks like it. */
export const CHILD_ROLE = "@child";

/** The descriptor on which the supervisor speaks to a child; its listening sockets follow it. */
export const CHANNEL_FD = 3;
