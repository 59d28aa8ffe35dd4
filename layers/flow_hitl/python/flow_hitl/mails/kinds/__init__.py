"""The emails about requests: each module has one `MAIL` and is named after its effect and template folder."""
