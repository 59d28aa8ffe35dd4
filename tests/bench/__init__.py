"""What a review costs: CPU beside floors and peers, cold starts, calls, write units, and dollars (`make bench`)."""
