/** The version of this tspod; a test keeps it equal to package.json, which is not read at run time. */
export const VERSION = '0.1.0'
