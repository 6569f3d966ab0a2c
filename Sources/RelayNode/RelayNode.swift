// RelayNode
