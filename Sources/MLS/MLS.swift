// MLS
