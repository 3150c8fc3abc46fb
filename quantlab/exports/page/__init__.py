"""The operators' page: one HTML file that needs nothing beside itself."""
