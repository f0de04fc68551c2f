"""What an expression may call: JMESPath's functions on exact numbers, and the house's additions."""
