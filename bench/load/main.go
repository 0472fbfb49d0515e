// Load sends HTTP requests over TLS with keep-alive and tells how long the answers took.
//
// "load run" reads a Plan as JSON from standard input and writes a Result as JSON to standard output.
// "load serve ADDRESS CERTIFICATE KEY ANSWER" is the least that a server can do over TLS: it reads a request and writes
// the file ANSWER. What "load run" measures against it is this program's own ceiling on this machine.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func command(arguments []string) error {
	switch {
	case len(arguments) == 1 && arguments[0] == "run":
		var plan Plan
		if err := json.NewDecoder(os.Stdin).Decode(&plan); err != nil {
			return err
		}
		result, err := plan.run()
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(result)
	case len(arguments) == 5 && arguments[0] == "serve":
		return serve(arguments[1], arguments[2], arguments[3], arguments[4])
	default:
		return fmt.Errorf("usage: load run | load serve ADDRESS CERTIFICATE KEY ANSWER")
	}
}
