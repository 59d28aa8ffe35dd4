"""What runs in Lambda while the mail edge stack is deployed; it imports nothing but what the runtime has."""
