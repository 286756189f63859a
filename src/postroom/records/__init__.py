"""What mail is filed on: Contact, Company, Deal, Note."""
