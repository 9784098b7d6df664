"""What readers may see: the suites by source, the two gates, quarantine and validation history."""
