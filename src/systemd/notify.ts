/** The door to sd_notify(3): what the service manager that started this process is told. */

/**
 * Tells the service manager that the service is up and which process stands for it from now on, in one datagram.
 * libsystemd finds NOTIFY_SOCKET itself; call this only where it is set.
 */
export async function notifyReady(mainPid: number): Promise<void> {
  const { default: sdNotify } = await import('sd-notify')
  sdNotify.sendState(`MAINPID=${mainPid}\nREADY=1`)
}
