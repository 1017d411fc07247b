/** What of the package is used here; it brings no types. */
declare module 'sd-notify' {
  const sdNotify: {
    /** sd_notify(3) as it is. Without NOTIFY_SOCKET, and when nobody listens there, nothing happens. */
    sendState(state: string): void
  }
  export default sdNotify
}
