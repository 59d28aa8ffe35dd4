"use strict";

SwaggerUIBundle({
  url: "v1/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayOperationId: false,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  // The public validator would be sent this page's address.
  validatorUrl: null,
});
