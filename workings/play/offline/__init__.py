"""The playground without a server: static files that compose, train and show networks in the browser."""
