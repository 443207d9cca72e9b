// Package cli is what tcpstuck's programs share on the command line: flags that
// the environment can set, and errors on one line that name the flag.
package cli
