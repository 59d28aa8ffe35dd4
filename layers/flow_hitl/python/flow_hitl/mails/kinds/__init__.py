"""The mails about requests: each module is named as its effect and its template folder, and has one `MAIL`."""
