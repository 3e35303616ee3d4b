"""Operations shared by the services. No OAuth, no SQL: those belong to the services."""
