"""How a host is reached: bounded commands over SSH, detached jobs that outlive the connection, and facts from /proc."""
